/* SPDX-License-Identifier: MIT */
/* The page that bmatop reads, written by the library and read by bmatop's own reader. */
#include "obs/obs.h"
#include "said.h"

#include "../../tools/bmatop/process.h"

#include <bma/bma.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { SIZE = 200, MANY = 5000, READS = 3000 };

static char path[64], kept[64], why[WHY_MOST];
static void *objs[MANY];

static struct bma_cache *create(const char *name)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = name, .size = SIZE};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static struct bma_cache *begin(const char *name)
{
	setenv("BMA_CONF", "worker:off,export", 1);
	return create(name);
}

static void take(struct bma_cache *c, int n)
{
	for (int i = 0; i < n; i++)
		cr_assert_not_null(objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP));
}

static struct page look(const char *at)
{
	struct page p;

	cr_assert(page_open(&p, at, why), "%s", why);
	return p;
}

/* A page as it is now. */
static struct page fresh(void)
{
	cr_assert_eq(bma__export_write(), 0);
	bma__export_path(path, sizeof path);
	return look(path);
}

static uint32_t row_of(const struct table *t, const char *field, const char *is)
{
	for (uint32_t i = 0; i < t->rows; i++) {
		if (!strcmp(table_text(t, i, field), is))
			return i;
	}
	cr_assert(false, "no %s %s", field, is);
	return 0;
}

Test(export, has_every_figure_of_the_lists)
{
	struct bma_cache *c = begin("figures");
	struct bma_cache_stats s;
	struct bma_ledger l;
	struct bma_stats process;
	struct bma_rcu_stats rcu;
	struct bma_node_stats node;
	struct table t;
	struct page p;
	uint32_t row;

	take(c, MANY);
	for (int i = 0; i < 100; i++)
		bma_cache_free_rcu(c, objs[i]);
	bma_poll(0);
	p = fresh();
	bma_cache_stats_get(c, &s, sizeof s);
	bma_ledger_get(&l, sizeof l);
	bma_stats_get(&process, sizeof process);
	cr_assert_eq(bma_rcu_stats_get(0, &rcu, sizeof rcu), 0);
	cr_assert_eq(bma_node_stats_get(0, &node, sizeof node), 0);
#define SAME(name, unit, text)                                                                     \
	cr_assert_eq(table_number(&t, row, #name), of->name, #name " %llu",                        \
		     (unsigned long long)table_number(&t, row, #name));
	t = page_table(&p, "caches");
	row = row_of(&t, "name", "figures");
	{
		const struct bma_cache_stats *of = &s;

		BMA_CACHE_FIGURES(SAME)
	}
	cr_assert_str_eq(table_text(&t, row, "rcu"), "memb");
	cr_assert_geq(table_number(&t, row, "slab_size"),
		      table_number(&t, row, "slab_objects") * s.stride);
	t = page_table(&p, "ledger");
	row = 0;
	{
		const struct bma_ledger *of = &l;

		BMA_LEDGER_FIGURES(SAME)
	}
	t = page_table(&p, "process");
	{
		const struct bma_stats *of = &process;

		BMA_STATS_FIGURES(SAME)
	}
	t = page_table(&p, "rcu");
	row = row_of(&t, "name", "memb");
	{
		const struct bma_rcu_stats *of = &rcu;

		BMA_RCU_FIGURES(SAME)
	}
	t = page_table(&p, "nodes");
	row = 0;
	{
		const struct bma_node_stats *of = &node;

		BMA_NODE_FIGURES(SAME)
	}
	page_close(&p);
}

Test(export, slots_hold_what_caches_have_there)
{
	struct bma_cache *c = begin("slots"), *other = create("other");
	uint64_t there = 0, in_slots = 0;
	struct table t;
	struct page p;

	take(c, MANY);
	for (int i = 0; i < 60; i++)
		bma_cache_free(c, objs[i]);
	take(other, 1);
	bma_cache_free(other, objs[0]);
	cr_assert_eq(bma__export_write(), 0); /* nothing of this one is in the next */
	p = fresh();
	t = page_table(&p, "caches");
	for (uint32_t i = 0; i < t.rows; i++)
		there += table_number(&t, i, "cached") - table_number(&t, i, "depot");
	t = page_table(&p, "slots");
	cr_assert_gt(t.rows, 0);
	for (uint32_t i = 0; i < t.rows; i++)
		in_slots += table_number(&t, i, "objects");
	cr_assert_gt(there, 0);
	cr_assert_eq(in_slots, there);
	page_close(&p);
}

Test(export, groups_and_caches_that_have_no_room)
{
	struct bma_group_attr ga = {.attr_size = sizeof ga, .name = "flows", .max = 123 << 20};
	struct bma_cache *c = begin("first");
	struct bma_group *g = bma_group_create(NULL, &ga);
	struct table t;
	struct page p;
	uint32_t row;

	(void)c;
	cr_assert_not_null(g);
	for (int i = 0; i < 300; i++)
		create("many");
	p = fresh();
	t = page_table(&p, "groups");
	row = row_of(&t, "path", "/flows");
	cr_assert_eq(table_number(&t, row, "max"), 123u << 20);
	cr_assert_eq(table_number(&t, row, "depth"), 1);
	t = page_table(&p, "caches");
	cr_assert_eq(t.rows, 256);
	cr_assert_eq(t.is->more, 45);
	page_close(&p);
}

static _Atomic int stop;

/* One object more for each update. */
static void *write_on(void *c)
{
	while (!stop) {
		cr_assert_not_null(bma_cache_alloc_flags(c, BMA_SLEEP));
		bma__export_write();
	}
	return NULL;
}

/*
 * What is in one copy is of one update. The number of updates stands at the page's beginning, the cache that has an object for each of them stands
 * behind many others: a copy that is made of two updates has a number that does not fit.
 */
Test(export, a_reader_sees_one_update)
{
	struct bma_cache *c = begin("torn");
	uint64_t last = 0, different = 0;
	pthread_t writer;
	struct page p;

	for (int i = 0; i < 200; i++)
		create("between");
	p = fresh();
	cr_assert_eq(pthread_create(&writer, NULL, write_on, c), 0);
	for (int i = 0; i < READS || different < READS / 4; i++) {
		struct table t;
		uint32_t row;

		cr_assert(page_read(&p, why), "%s", why);
		if (p.torn)
			continue;
		different += p.head->updates != last;
		last = p.head->updates;
		t = page_table(&p, "caches");
		row = row_of(&t, "name", "torn");
		cr_assert_eq(table_number(&t, row, "live") + 1, last);
		cr_assert_eq(p.head->seq, 2 * last);
	}
	stop = 1;
	pthread_join(writer, NULL);
	page_close(&p);
}

/* A page that a test may spoil. */
static struct bma__page_head *keep(void)
{
	struct page p;
	void *copy;
	int fd;

	begin("kept");
	p = fresh();
	snprintf(kept, sizeof kept, "/dev/shm/bma_test-%d", (int)getpid());
	fd = open(kept, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, p.copy, p.bytes), (ssize_t)p.bytes);
	copy = mmap(NULL, p.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert_neq(copy, MAP_FAILED);
	close(fd);
	page_close(&p);
	return copy;
}

static void refuse(const char *words)
{
	struct page p;

	cr_assert(!page_open(&p, kept, why), "it was read");
	cr_assert_not_null(strstr(why, words), "%s", why);
	cr_assert_null(strchr(why, '\n'));
}

Test(export, another_layout_is_refused)
{
	struct bma__page_head *h = keep();

	h->layout++;
	h->version = 203;
	refuse("has layout 2, of bma 0.2.3; this bmatop reads layout 1");
	h->layout--;
	h->magic++;
	refuse("is no page that BMA exported");
	unlink(kept);
	refuse("No such file");
}

Test(export, a_page_that_was_cut_or_lies_is_refused)
{
	struct bma__page_head *h = keep(), whole = *h;
	struct bma__page_table *t = (void *)((char *)h + h->tables_offset), table = *t;
	struct bma__page_field *f = (void *)((char *)h + t->fields_offset), field = *f;
	struct page p = look(kept);

#define LIE(field, value, was)                                                                     \
	do {                                                                                       \
		field = value;                                                                     \
		refuse("contradicts itself");                                                      \
		was;                                                                               \
	} while (0)
	LIE(h->tables, UINT32_MAX, *h = whole);
	LIE(h->tables_offset, UINT32_MAX - 7, *h = whole);
	LIE(t->fields, UINT32_MAX, *t = table);
	LIE(t->fields_offset, (uint32_t)h->bytes, *t = table);
	LIE(t->rows, t->rows_most + 1, *t = table);
	LIE(t->rows_most, UINT32_MAX, *t = table);
	LIE(t->rows_offset, (uint32_t)h->bytes - 8, *t = table);
	LIE(t->row_size, 0, *t = table);
	LIE(f->offset, UINT32_MAX, *f = field);
	LIE(f->size, t->row_size + 1, *f = field);
	memset(f->name, 'x', sizeof f->name);
	refuse("contradicts itself");
	*f = field;
	h->bytes = UINT64_MAX;
	refuse("was cut short");
	*h = whole;
	cr_assert(page_read(&p, why));
	/* Under a reader that has it open, too: what it has stays. */
	cr_assert_eq(truncate(kept, (off_t)whole.bytes - 1), 0);
	refuse("was cut short");
	cr_assert(!page_read(&p, why));
	cr_assert_eq(p.head->pid, (uint32_t)getpid());
	cr_assert_eq(truncate(kept, sizeof *h - 1), 0);
	refuse("is no page that BMA exported");
	cr_assert_eq(truncate(kept, 0), 0);
	refuse("is empty");
	page_close(&p);
	unlink(kept);
}

static const char *state(void)
{
	static char words[64];
	struct page p = look(kept);
	const char *is = process_state(&p, words);

	page_close(&p);
	return is;
}

Test(export, what_became_of_the_process)
{
	struct bma__page_head *h = keep(), whole = *h;
	pid_t child;

	cr_assert_str_eq(state(), "running");
	cr_assert_neq(h->start, 0);
	h->start++;
	cr_assert_str_eq(state(), "ended, last figures; another process has its pid");
	*h = whole;
	h->updated -= 100000000000u;
	cr_assert_str_eq(state(), "stale, no update for 100 s");
	*h = whole;
	h->seq++;
	cr_assert_str_eq(state(), "stale, in the middle of an update");
	*h = whole;
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	h->pid = (uint32_t)child;
	h->start = 0;
	kill(child, SIGSTOP);
	cr_assert_eq(waitpid(child, NULL, WUNTRACED), child);
	cr_assert_str_eq(state(), "stopped");
	kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_str_eq(state(), "ended, last figures");
	unlink(kept);
}

static int share_refused(const char *at, size_t bytes, void **to)
{
	(void)at, (void)bytes, (void)to;
	return -EROFS;
}

static void try_twice(void)
{
	bma_poll(0);
	cr_assert_eq(bma__export_write(), -ENOENT);
}

Test(export, a_system_without_room_for_it_is_told_once)
{
	struct bma_cache *c = begin("refused");
	struct stat st;

	bma__os.share = share_refused;
	listen_to(try_twice);
	cr_assert_eq(times_said("bma: BMA_CONF: export: /dev/shm/bma-"), 1, "%s", said);
	cr_assert_eq(times_said("\n"), 1, "%s", said);
	take(c, MANY);
	bma__export_path(path, sizeof path);
	cr_assert_neq(stat(path, &st), 0);
}

/* Each step of making the file: where there is no directory, and where there is no room. */
Test(export, files_that_cannot_be_made)
{
	void *to = NULL;
	struct stat st;

	cr_assert_eq(bma__os.share("/proc/no/such", 4096, &to), -ENOENT);
	snprintf(kept, sizeof kept, "/dev/shm/bma_test-%d", (int)getpid());
	cr_assert_lt(bma__os.share(kept, (size_t)1 << 60, &to), 0);
	cr_assert_neq(stat(kept, &st), 0);
	cr_assert_null(to);
}

/* Returns the status of a child that runs @body. */
static int in_child(void (*body)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		body();
		exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void poll_within_a_limit(void)
{
	struct rlimit most = {4096, 4096};

	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
	begin("limited");
	try_twice();
}

/* The kernel has a signal for who goes over it, which would end the program. */
Test(export, a_process_that_may_make_no_large_file)
{
	struct stat st;
	int status = in_child(poll_within_a_limit);

	cr_assert(WIFEXITED(status) && !WEXITSTATUS(status), "status %d", status);
	bma__export_path(path, sizeof path);
	cr_assert_neq(stat(path, &st), 0);
}

Test(export, is_for_its_owner_and_only_on_request)
{
	struct stat st;
	struct page p;

	umask(0);
	setenv("BMA_CONF", "worker:off", 1);
	create("plain");
	bma_poll(0);
	bma__export_path(path, sizeof path);
	cr_assert_neq(stat(path, &st), 0);
	p = fresh();
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	page_close(&p);
	unlink(path);
}

Test(export, poll_writes_once_a_second_and_shutdown_takes_it_away)
{
	struct stat st;
	uint64_t first;
	struct page p;

	begin("life");
	bma__export_path(path, sizeof path);
	bma_poll(0);
	p = look(path);
	cr_assert_eq(p.head->updates, 1);
	first = p.head->updated;
	while (p.head->updates < 2) {
		usleep(10000);
		bma_poll(0);
		cr_assert(page_read(&p, why));
	}
	cr_assert_geq(p.head->updated - first, BMA__PAGE_PERIOD / 2);
	cr_assert_eq(bma_shutdown(), 0);
	cr_assert_neq(stat(path, &st), 0);
	cr_assert_str_eq(process_state(&p, why), "no longer exports, last figures");
	page_close(&p);
	bma_poll(0);
	p = look(path);
	page_close(&p);
}

/* Not at once, for most children do not live long. */
static void child_with_its_own(void)
{
	uint64_t born = bma__os_now();
	struct page p;

	bma__export_path(path, sizeof path);
	bma_poll(0);
	if (page_open(&p, path, why) && bma__os_now() - born < BMA__PAGE_PERIOD)
		_exit(2);
	while (bma__os_now() - born <= BMA__PAGE_PERIOD + BMA__PAGE_PERIOD / 10)
		usleep(10000);
	bma_poll(0);
	if (!page_open(&p, path, why) || p.head->pid != (uint32_t)getpid() || p.head->updates != 1)
		_exit(1);
}

static void child_without(void)
{
}

Test(export, a_child_has_a_page_of_its_own)
{
	struct bma_cache *c = begin("parent");
	struct page p;
	char mine[64];
	struct stat st;

	(void)c;
	p = fresh();
	memcpy(mine, path, sizeof mine);
	cr_assert_eq(in_child(child_with_its_own), 0);
	cr_assert_eq(in_child(child_without), 0);
	cr_assert_eq(stat(mine, &st), 0);
	cr_assert(page_read(&p, why));
	cr_assert_eq(p.head->updates, 1);
	cr_assert_eq(p.head->pid, (uint32_t)getpid());
	page_close(&p);
}

static int out_fd;

/* Longer than the worker sleeps: what it does after the file is gone. */
static void linger(void)
{
	usleep(1300000);
}

static void leave(void)
{
	struct page p;

	atexit(linger);
	setenv("BMA_CONF", "export", 1);
	create("leaver");
	bma__export_path(path, sizeof path);
	/* By the worker, without a call of ours. */
	for (int i = 0; !page_open(&p, path, why); i++) {
		if (i == 20000)
			_exit(1);
		usleep(1000);
	}
	page_close(&p);
	cr_assert_eq(write(out_fd, path, sizeof path), (ssize_t)sizeof path);
}

static void die(void)
{
	leave();
	raise(SIGKILL);
}

Test(export, is_gone_after_exit_and_not_after_a_crash)
{
	char words[64];
	struct stat st;
	struct page p;
	int fd[2];

	cr_assert_eq(pipe(fd), 0);
	out_fd = fd[1];
	cr_assert_eq(in_child(leave), 0);
	cr_assert_eq(read(fd[0], path, sizeof path), (ssize_t)sizeof path);
	cr_assert_neq(stat(path, &st), 0);
	cr_assert(WIFSIGNALED(in_child(die)));
	cr_assert_eq(read(fd[0], path, sizeof path), (ssize_t)sizeof path);
	p = look(path);
	cr_assert_str_eq(process_state(&p, words), "ended, last figures");
	page_close(&p);
	unlink(path);
}
