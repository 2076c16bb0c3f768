/* SPDX-License-Identifier: MIT */
/* Pages, see page.h. */
#include "page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 100
#define NAP 1000000 /* nanoseconds */
#define VERSION(v) (v) / 10000, (v) / 100 % 100, (v) % 100

static bool within(uint64_t offset, uint64_t n, uint64_t size, uint64_t bytes)
{
	return offset <= bytes && size && n <= (bytes - offset) / size;
}

static bool fields_are_sound(const struct table *t)
{
	uint64_t sizes = 0;

	if (t->is->fields > BMA__PAGE_FIELDS_MOST)
		return false;
	for (uint32_t i = 0; i < t->is->fields; i++) {
		const struct bma__page_field *f = &t->fields[i];

		if (!within(f->offset, 1, f->size, t->is->row_size) || !memchr(f->name, 0, 32) ||
		    !memchr(f->unit, 0, 16) || !memchr(f->text, 0, sizeof f->text) ||
		    (!field_is_text(f) && f->size != sizeof(uint64_t)))
			return false;
		sizes += f->size;
	}
	return sizes <= t->is->row_size;
}

static struct table table_at(const struct page *p, const unsigned char *copy, uint32_t i)
{
	const struct bma__page_head *h = (const void *)copy;
	const struct bma__page_table *is = (const void *)(copy + h->tables_offset);

	is += i;
	return (struct table){p, is, (const void *)(copy + is->fields_offset), is->rows};
}

static bool is_sound(const struct page *p, const unsigned char *copy, size_t bytes)
{
	const struct bma__page_head *h = (const void *)copy;
	uint64_t rows = 0;

	if (h->tables > BMA__PAGE_TABLES_MOST || h->tables_offset % 8 ||
	    !memchr(h->program, 0, sizeof h->program) ||
	    !within(h->tables_offset, h->tables, sizeof(struct bma__page_table), bytes))
		return false;
	for (uint32_t i = 0; i < h->tables; i++) {
		const struct bma__page_table *t =
			(const struct bma__page_table *)(const void *)(copy + h->tables_offset) + i;
		struct table table;

		if (!memchr(t->name, 0, sizeof t->name) || t->fields_offset % 8 ||
		    t->rows > t->rows_most || t->rows_most > BMA__PAGE_ROWS_MOST ||
		    !within(t->fields_offset, t->fields, sizeof(struct bma__page_field), bytes) ||
		    !within(t->rows_offset, t->rows_most, t->row_size, bytes))
			return false;
		table = table_at(p, copy, i);
		if (!fields_are_sound(&table))
			return false;
		rows += (uint64_t)t->rows_most * t->row_size;
	}
	return rows <= bytes;
}

/* What the beginning of a file says, which is the same in each layout. */
static bool is_ours(const struct bma__page_head *h, size_t bytes, const char **what)
{
	static char another[128];

	*what = NULL;
	if (bytes < sizeof *h || h->magic != BMA__PAGE_MAGIC) {
		*what = bytes ? "is no page that BMA exported, or is not finished"
			      : "is empty: it was cut short";
	} else if (h->layout != BMA__PAGE_LAYOUT) {
		snprintf(another, sizeof another,
			 "has layout %u, of bma %u.%u.%u; this bmatop reads layout %u", h->layout,
			 VERSION(h->version), BMA__PAGE_LAYOUT);
		*what = another;
	} else if (h->bytes > bytes) {
		*what = "was cut short";
	} else if (h->bytes > BMA__PAGE_BYTES_MOST) {
		*what = "is too large to be true";
	}
	return !*what;
}

static bool read_all(int fd, unsigned char *to, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(fd, to + done, bytes - done, (off_t)done);

		if (n <= 0 && !(n < 0 && errno == EINTR))
			return false;
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static bool read_seq(int fd, uint64_t *seq)
{
	return pread(fd, seq, sizeof *seq, offsetof(struct bma__page_head, seq)) == sizeof *seq;
}

/* A copy of one update; @torn: there was none to be had. The fences are those of struct bma__page_head. */
static bool take(int fd, unsigned char *to, size_t bytes, bool *torn)
{
	const struct timespec nap = {0, NAP};

	*torn = true;
	for (int i = 0; i < TRIES && *torn; i++) {
		uint64_t before, after;

		if (i)
			nanosleep(&nap, NULL);
		if (!read_seq(fd, &before))
			return false;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!read_all(fd, to, bytes))
			return false;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!read_seq(fd, &after))
			return false;
		*torn = before != after || before % 2;
	}
	return true;
}

static bool read_page(struct page *p, const char **what)
{
	struct bma__page_head h = {0};
	unsigned char *copy;
	struct stat st;
	bool torn;

	if (fstat(p->fd, &st) || pread(p->fd, &h, sizeof h, 0) < 0) {
		*what = strerror(errno);
		return false;
	}
	if (!is_ours(&h, (size_t)st.st_size, what))
		return false;
	*what = "was cut short";
	copy = malloc(h.bytes);
	if (!copy || h.bytes < sizeof h || !take(p->fd, copy, h.bytes, &torn)) {
		free(copy);
		return false;
	}
	if (!is_sound(p, copy, h.bytes)) {
		*what = "contradicts itself";
		free(copy);
		return false;
	}
	free(p->copy);
	p->copy = copy;
	p->head = (const void *)copy;
	p->bytes = h.bytes;
	p->torn = torn;
	return true;
}

bool page_read(struct page *p, char why[WHY_MOST])
{
	const char *what;

	if (read_page(p, &what))
		return true;
	snprintf(why, WHY_MOST, "the page %s", what);
	return false;
}

bool page_open(struct page *p, const char *path, char why[WHY_MOST])
{
	const char *what;

	*p = (struct page){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
	if (p->fd < 0) {
		snprintf(why, WHY_MOST, "%s: %s", path, strerror(errno));
		return false;
	}
	if (read_page(p, &what))
		return true;
	snprintf(why, WHY_MOST, "%s %s", path, what);
	page_close(p);
	return false;
}

void page_close(struct page *p)
{
	close(p->fd);
	free(p->copy);
	p->copy = NULL;
	p->fd = -1;
}

uint64_t page_age(const struct page *p)
{
	struct timespec now;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return ns > p->head->updated ? ns - p->head->updated : 0;
}

struct table page_table(const struct page *p, const char *name)
{
	static const struct bma__page_table none;

	for (uint32_t i = 0; i < p->head->tables; i++) {
		struct table t = table_at(p, p->copy, i);

		if (!strcmp(t.is->name, name))
			return t;
	}
	return (struct table){p, &none, NULL, 0};
}

static const struct bma__page_field *find(const struct table *t, const char *name)
{
	for (uint32_t i = 0; i < t->is->fields; i++) {
		if (!strcmp(t->fields[i].name, name))
			return &t->fields[i];
	}
	return NULL;
}

static unsigned char *cell(const struct table *t, uint32_t row, const struct bma__page_field *f)
{
	return t->page->copy + t->is->rows_offset + (size_t)row * t->is->row_size + f->offset;
}

bool field_is_text(const struct bma__page_field *f)
{
	return !strcmp(f->unit, "text");
}

uint64_t field_number(const struct table *t, uint32_t row, const struct bma__page_field *f)
{
	uint64_t n;

	memcpy(&n, cell(t, row, f), sizeof n);
	return n;
}

const char *field_text(const struct table *t, uint32_t row, const struct bma__page_field *f)
{
	unsigned char *s = cell(t, row, f);

	s[f->size - 1] = 0;
	return (const char *)s;
}

uint64_t table_number(const struct table *t, uint32_t row, const char *field)
{
	const struct bma__page_field *f = row < t->rows ? find(t, field) : NULL;

	return f && !field_is_text(f) ? field_number(t, row, f) : 0;
}

const char *table_text(const struct table *t, uint32_t row, const char *field)
{
	const struct bma__page_field *f = row < t->rows ? find(t, field) : NULL;

	return f && field_is_text(f) ? field_text(t, row, f) : "";
}
