/* SPDX-License-Identifier: MIT */
/* The life of the page, see export.h. */
#include "obs.h"

#include <bma/version.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STAT_START 19 /* fields from the state to the start time in /proc/self/stat */
#define NAP 100000u   /* nanoseconds */

/*
 * Whoever sets it owns what follows; an exchange with acquire takes, a store with release gives back. Not a lock: nobody but bma__export_remove() waits, and a
 * child of fork just clears it.
 */
static _Atomic bool busy;
static struct bma__page_head *page;
static struct bma__export_table tables[BMA__EXPORT_TABLES];
static char *
	shadow; /* where rows are put together, so that the sequence is odd for no longer than a copy takes */
static pid_t owner;
static char page_path[64]; /* who asks again may be another user by then */
static bool refused;	   /* there is no page and there will be none */
static _Atomic uint64_t due;

void bma__export_path(char *path, size_t size)
{
	snprintf(path, size, "/dev/shm/bma-%u-%d", (unsigned int)geteuid(), (int)getpid());
}

/* The name and the start time of this process. */
static void who(struct bma__page_head *h)
{
	char line[1024], *at, *end;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, line, sizeof line - 1);
	close(fd);
	line[n > 0 ? n : 0] = 0;
	at = strchr(line, '(');
	end = strrchr(line, ')');
	if (!at || !end || end < at)
		return;
	*end = 0;
	snprintf(h->program, sizeof h->program, "%.*s", (int)sizeof h->program - 1, at + 1);
	at = end + 1;
	for (int i = 0; i < STAT_START && at; i++)
		at = strchr(at + 1, ' ');
	h->start = at ? strtoull(at, NULL, 10) : 0;
}

static size_t layout(struct bma__page_head *h)
{
	size_t at = sizeof *h;

	h->tables = BMA__EXPORT_TABLES;
	h->tables_offset = (uint32_t)at;
	at += BMA__EXPORT_TABLES * sizeof(struct bma__page_table);
	for (int i = 0; i < BMA__EXPORT_TABLES; i++)
		at += tables[i].nfields * sizeof(struct bma__page_field);
	return bma__align_up(at, BMA_CACHELINE);
}

static size_t rows_bytes(const struct bma__export_table *t)
{
	return bma__align_up((size_t)t->rows_most * t->row_size, BMA_CACHELINE);
}

static void describe(struct bma__page_head *h, size_t rows)
{
	char *base = (char *)h;
	struct bma__page_table *to = (void *)(base + h->tables_offset);
	struct bma__page_field *f = (void *)(to + h->tables);

	for (int i = 0; i < BMA__EXPORT_TABLES; i++) {
		const struct bma__export_table *t = &tables[i];

		snprintf(to[i].name, sizeof to[i].name, "%s", t->name);
		to[i].fields = t->nfields;
		to[i].fields_offset = (uint32_t)((char *)f - base);
		to[i].rows_most = t->rows_most;
		to[i].rows_offset = (uint32_t)rows;
		to[i].row_size = t->row_size;
		rows += rows_bytes(t);
		for (uint32_t k = 0; k < t->nfields; k++, f++) {
			const struct bma__export_field *from = &t->fields[k];

			snprintf(f->name, sizeof f->name, "%s", from->name);
			snprintf(f->unit, sizeof f->unit, "%s", from->unit);
			snprintf(f->text, sizeof f->text, "%s", from->text);
			f->offset = (uint32_t)from->offset;
			f->size = (uint32_t)from->size;
		}
	}
}

/* Where rows are put together; a child of fork has it, too, finished or not. */
static int make_shadow(void)
{
	size_t bytes = 0;
	char *at;

	bma__export_tables(tables);
	for (int i = 0; i < BMA__EXPORT_TABLES; i++)
		bytes += rows_bytes(&tables[i]);
	if (!shadow)
		shadow = bma__meta_alloc(bytes);
	at = shadow;
	for (int i = 0; at && i < BMA__EXPORT_TABLES; i++) {
		tables[i].to = at;
		at += rows_bytes(&tables[i]);
	}
	return at ? 0 : -ENOMEM;
}

static int make(void)
{
	struct bma__page_head h = {.layout = BMA__PAGE_LAYOUT,
				   .head_size = sizeof h,
				   .version = BMA_VERSION,
				   .pid = (uint32_t)getpid(),
				   .period = BMA__PAGE_PERIOD};
	int rc = make_shadow();
	size_t rows;
	void *p;

	if (rc)
		return rc;
	rows = h.bytes = layout(&h);
	for (int i = 0; i < BMA__EXPORT_TABLES; i++)
		h.bytes += rows_bytes(&tables[i]);
	who(&h);
	bma__export_path(page_path, sizeof page_path);
	rc = bma__os.share(page_path, h.bytes, &p);
	if (rc) {
		bma__log_line("BMA_CONF: export: %s cannot be made (error %d), nothing is exported",
			      page_path, -rc);
		return rc;
	}
	memcpy(p, &h, sizeof h);
	describe(p, rows);
	page = p;
	owner = getpid();
	__atomic_store_n(&page->magic, BMA__PAGE_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

/* The rows go into the page. */
static void publish(void)
{
	struct bma__page_table *to = (void *)((char *)page + page->tables_offset);
	uint64_t seq = page->seq;

	/* The edge of struct bma__page_head. */
	__atomic_store_n(&page->seq, seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (int i = 0; i < BMA__EXPORT_TABLES; i++) {
		memcpy((char *)page + to[i].rows_offset, tables[i].to,
		       (size_t)tables[i].rows * tables[i].row_size);
		to[i].rows = tables[i].rows;
		to[i].more = tables[i].more;
	}
	page->updated = bma__os_now();
	page->updates++;
	__atomic_store_n(&page->seq, seq + 2, __ATOMIC_RELEASE);
}

static int write_page(void)
{
	int rc = 0;

	if (atomic_exchange_explicit(&busy, true, memory_order_acquire))
		return -EBUSY;
	if (refused)
		rc = -ENOENT;
	else if (!page)
		refused = (rc = make());
	if (!rc) {
		bma__export_fill(tables);
		publish();
	}
	atomic_store_explicit(&busy, false, memory_order_release);
	return rc;
}

int bma__export_write(void)
{
	sigset_t was;
	int rc;

	/* A child that a handler forks in here would go on with a page that it has not. */
	bma__signals_block(&was);
	rc = write_page();
	bma__signals_restore(&was);
	return rc;
}

uint64_t bma__export_tick(void)
{
	uint64_t now = bma__os_now(), at = atomic_load_explicit(&due, memory_order_relaxed);

	if (now < at)
		return at - now;
	atomic_store_explicit(&due, now + BMA__PAGE_PERIOD, memory_order_relaxed);
	bma__export_write();
	return BMA__PAGE_PERIOD;
}

static void take_away(bool for_good)
{
	sigset_t was;

	bma__signals_block(&was);
	while (atomic_exchange_explicit(&busy, true, memory_order_acquire))
		bma__os_sleep(NAP);
	if (page && owner == getpid()) {
		unlink(page_path);
		bma__os.unmap(page, page->bytes);
		page = NULL;
		atomic_store_explicit(&due, 0, memory_order_relaxed);
	}
	refused |= for_good;
	atomic_store_explicit(&busy, false, memory_order_release);
	bma__signals_restore(&was);
}

void bma__export_remove(void)
{
	take_away(false);
}

/* The worker may still run while exit() does. */
void bma__export_end(void)
{
	take_away(true);
}

void bma__export_after_fork(void)
{
	page = NULL;
	refused = false;
	/* One that soon ends by _exit(), as many do, leaves nothing. */
	atomic_store_explicit(&due, bma__os_now() + BMA__PAGE_PERIOD, memory_order_relaxed);
	atomic_store_explicit(&busy, false, memory_order_relaxed);
}
