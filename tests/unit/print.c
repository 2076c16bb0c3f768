/* SPDX-License-Identifier: MIT */
/* The ledger, and figures as text and JSON: every one of every list, each once. */
#include "said.h"

#include <bma/bma.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { SIZE = 200, MANY = 5000 };

static char out[1 << 20];
static void *objs[MANY];

static struct bma_cache *create(const char *name)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = name, .size = SIZE};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static void take(struct bma_cache *c, int n)
{
	for (int i = 0; i < n; i++)
		cr_assert_not_null(objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP));
}

static void write_out(unsigned int flags, const char *prefix)
{
	FILE *f = tmpfile();
	size_t n;

	cr_assert_eq(bma_stats_write(fileno(f), flags, prefix), 0);
	rewind(f);
	n = fread(out, 1, sizeof out - 1, f);
	out[n] = 0;
	fclose(f);
}

static int times(const char *what)
{
	int n = 0;

	for (const char *at = out; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static struct bma_ledger ledger(void)
{
	struct bma_ledger l;

	cr_assert_eq(bma_ledger_get(&l, sizeof l), 0);
	cr_assert_eq(l.live + l.cached + l.limbo + l.parked + l.slab_free + l.metadata, l.resident);
	return l;
}

/* Each byte is in its line. */
Test(print, the_ledger_of_a_quiet_process)
{
	struct bma_cache_stats s;
	struct bma_cache *c;
	struct bma_stats p;
	struct bma_ledger l;

	setenv("BMA_CONF", "worker:off", 1);
	c = create("ledger");
	take(c, MANY);
	bma_cache_stats_get(c, &s, sizeof s);
	bma_stats_get(&p, sizeof p);
	l = ledger();
	cr_assert_eq(l.live, MANY * s.stride);
	cr_assert_eq(l.cached, s.cached * s.stride);
	cr_assert_eq(l.live + l.cached + l.slab_free, p.slab_bytes);
	cr_assert_eq(l.metadata, p.meta_bytes + p.magazine_bytes);
	for (int i = 0; i < 100; i++)
		bma_cache_free_rcu(c, objs[i]);
	l = ledger();
	cr_assert_eq(l.limbo, 100 * s.stride);
	cr_assert_eq(l.live, (MANY - 100) * s.stride);
	for (int i = 100; i < MANY; i++)
		bma_cache_free(c, objs[i]);
	cr_assert_eq(bma_cache_destroy(c), 0);
	bma_trim();
	l = ledger();
	cr_assert_eq(l.live + l.cached + l.limbo, 0);
	cr_assert_eq(bma_ledger_get(NULL, 8), -EINVAL);
	cr_assert_eq(bma_ledger_get(&l, 0), -EINVAL);
}

Test(print, large_objects_are_in_the_ledger)
{
	uint64_t before = bma_heap_global() ? ledger().live : 0;
	void *p = bma_heap_alloc_flags(bma_heap_global(), 3 << 20, BMA_SLEEP);

	cr_assert_not_null(p);
	cr_assert_eq(ledger().live, before + (3 << 20));
	bma_heap_free(bma_heap_global(), p);
	bma_poll(BMA_POLL_GP);
	cr_assert_eq(ledger().live, before);
}

static _Atomic int stop;

static void *traffic(void *c)
{
	void *held[600];

	while (!stop) {
		int n = 0;

		while (n < 600 && (held[n] = bma_cache_alloc_flags(c, BMA_SLEEP)))
			n++;
		while (n--) {
			if (n & 1)
				bma_cache_free(c, held[n]);
			else
				bma_cache_free_rcu(c, held[n]);
		}
	}
	return NULL;
}

/* Whatever is on its way: no line is less than 0, and they add up. */
Test(print, the_ledger_of_a_busy_process_adds_up)
{
	struct bma_cache *c = create("busy");
	struct bma_cache_stats s;
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, traffic, c);
	for (int i = 0; i < 300; i++) {
		struct bma_ledger l = ledger();

		cr_assert_lt(l.live, (uint64_t)1 << 40);
		cr_assert_lt(l.slab_free, (uint64_t)1 << 40);
		bma_cache_stats_get(c, &s, sizeof s);
		cr_assert_eq(s.live + s.cached + s.limbo + s.parked + s.reserved + s.slab_free,
			     s.carved);
	}
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

#define ONCE_TEXT(name, unit, text) cr_assert_geq(times(" " #name " "), 1, "%s", #name);
#define ONCE_JSON(name, unit, text) cr_assert_geq(times("\"" #name "\":"), 1, "%s", #name);

Test(print, each_figure_is_there)
{
	take(create("printed"), 10);
	write_out(BMA_STATS_ALL, NULL);
	BMA_STATS_FIGURES(ONCE_TEXT)
	BMA_LEDGER_FIGURES(ONCE_TEXT)
	BMA_CACHE_FIGURES(ONCE_TEXT)
	BMA_NODE_FIGURES(ONCE_TEXT)
	BMA_RCU_FIGURES(ONCE_TEXT)
	cr_assert_eq(times("\ncache printed rcu memb object_size 200 "), 1);
	cr_assert_eq(times("\n/ current "), 1);
	cr_assert_geq(times("\nslot "), 1);
	write_out(BMA_STATS_ALL | BMA_STATS_JSON, NULL);
	BMA_STATS_FIGURES(ONCE_JSON)
	BMA_LEDGER_FIGURES(ONCE_JSON)
	BMA_CACHE_FIGURES(ONCE_JSON)
	BMA_NODE_FIGURES(ONCE_JSON)
	BMA_RCU_FIGURES(ONCE_JSON)
}

/* As python reads it, each part a key of one object. */
Test(print, json_is_json)
{
	static const char program[] =
		"import json,sys; d=json.load(open(sys.argv[1])); "
		"assert sorted(d)==['caches','groups','nodes','process','rcu'],sorted(d); "
		"l=d['process']['ledger']; r=l.pop('resident'); assert sum(l.values())==r,l; "
		"c={c['name']: c for c in d['caches']}; assert c['a \"name\\\\ ']['live']==7, c; "
		"assert c['a \"name\\\\ ']['slots'], c; assert c['other']['live']==0";
	char path[] = "/tmp/bma-json-XXXXXX";
	int fd = mkstemp(path), status;
	pid_t pid;

	take(create("a \"name\\ "), 7);
	create("other");
	cr_assert_eq(bma_stats_write(fd, BMA_STATS_ALL | BMA_STATS_JSON, NULL), 0);
	pid = fork();
	if (!pid) {
		execlp("python3", "python3", "-c", program, path, (char *)NULL);
		_exit(127);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	unlink(path);
	close(fd);
}

Test(print, little_by_default_and_caches_by_prefix)
{
	create("net/a");
	create("net/b");
	create("disk");
	write_out(0, NULL);
	cr_assert_eq(times("process mode "), 1);
	cr_assert_eq(times("\nledger "), 1);
	cr_assert_eq(times("\ncache "), 0);
	write_out(BMA_STATS_CACHES, "net/");
	cr_assert_eq(times("cache net/"), 2);
	cr_assert_eq(times("cache "), 2);
	cr_assert_eq(times("process"), 0);
	cr_assert_eq(bma_stats_write(1, 1u << 20, NULL), -EINVAL);
	cr_assert_eq(bma_stats_write(-1, 0, NULL), -EBADF);
}

static int visit(const struct bma_cache_stats *s, void *arg)
{
	int *n = arg;

	cr_assert_eq(s->object_size, SIZE);
	return ++*n == 2 ? 42 : 0;
}

Test(print, a_visit_ends_when_it_is_told_to)
{
	int n = 0;

	create("v1");
	create("v2");
	create("v3");
	cr_assert_eq(bma_cache_visit("v", visit, &n), 42);
	cr_assert_eq(n, 2);
	n = -10;
	cr_assert_eq(bma_cache_visit("none", visit, &n), 0);
	cr_assert_eq(n, -10);
}

Test(print, at_exit)
{
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	cr_assert_eq(pipe(fd), 0);
	setenv("BMA_CONF", "stats:exit", 1);
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDERR_FILENO);
		create("leaver");
		exit(0);
	}
	close(fd[1]);
	n = read(fd[0], out, sizeof out - 1);
	cr_assert_gt(n, 0);
	while ((status = (int)read(fd[0], out + n, sizeof out - 1 - (size_t)n)) > 0)
		n += status;
	out[n] = 0;
	cr_assert_eq(times("\ncache leaver "), 1, "%s", out);
	close(fd[0]);
}
