/* SPDX-License-Identifier: MIT */
/* What caches and heaps do to the groups that pay for them, where lives cross: ends, forks, frees of deferred objects, owners that change. */
#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct bma_group *group(struct bma_group *parent, const char *name, uint64_t max,
			       uint64_t flags)
{
	struct bma_group_attr a = {.attr_size = sizeof a, .name = name, .max = max, .flags = flags};
	struct bma_group *g = bma_group_create(parent, &a);

	cr_assert_not_null(g);
	return g;
}

static struct bma_cache *cache(struct bma_group *g, uint64_t flags)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = 64, .flags = flags, .group = g, .name = "c"};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static struct bma_group_stats stats(struct bma_group *g)
{
	struct bma_group_stats s;

	cr_assert_eq(bma_group_stat(g, &s, sizeof s), 0);
	return s;
}

static void *take(struct bma_cache *c)
{
	void *p = bma_cache_alloc_flags(c, BMA_SLEEP);

	cr_assert_not_null(p);
	return p;
}

static _Atomic bool stop;

static void *trims(void *unused)
{
	while (!atomic_load(&stop))
		bma_trim();
	return unused;
}

/* A drain exchanges the word that a free is about to store to. */
Test(group_life, frees_under_a_drain, .timeout = 60)
{
	struct bma_group *g = group(NULL, "g", 0, 0);
	struct bma_cache *c = cache(g, BMA_CACHE_MERGE);
	pthread_t t;
	void *p[8];

	pthread_create(&t, NULL, trims, NULL);
	for (int i = 0; i < 60000; i++) {
		for (int k = 0; k < 8; k++)
			p[k] = bma_cache_alloc_flags(c, BMA_SLEEP);
		for (int k = 0; k < 8; k++)
			bma_cache_free(c, p[k]);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	bma_trim();
	cr_assert_eq(stats(g).current, 0);
}

static void *freed_late[4];
static struct bma_cache *other;

static void *free_late(void *unused)
{
	for (int i = 0; i < 4; i++)
		bma_cache_free(other, freed_late[i]);
	return unused;
}

/* The record of a closed handle goes with its last object, not before. */
Test(group_life, a_record_outlives_its_handle, .timeout = 60)
{
	struct bma_group *g = group(NULL, "g", 2048, 0), *h = group(NULL, "h", 0, 0);

	other = cache(h, BMA_CACHE_MERGE);
	for (int i = 0; i < 1000; i++) {
		struct bma_cache *c = cache(g, BMA_CACHE_MERGE);
		pthread_t t;

		for (int k = 0; k < 4; k++)
			freed_late[k] = take(c);
		cr_assert_eq(bma_cache_destroy(c), 0);
		cr_assert_eq(stats(g).payers, 1);
		pthread_create(&t, NULL, free_late, NULL);
		while (stats(g).payers)
			bma_poll(0);
		pthread_join(t, NULL);
		cr_assert_eq(stats(g).current, 0);
	}
}

/* Slabs that wait for a grace period name who pays for them. */
Test(group_life, what_nobody_pays_for_ends)
{
	struct bma_cache *c = cache(bma_group_root(), BMA_CACHE_NOCHARGE), *d;
	struct bma_group *g;

	bma_cache_free(c, take(c));
	cr_assert_gt(stats(bma_group_root()).uncharged, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
	g = group(NULL, "g", 0, 0);
	d = cache(g, 0);
	bma_poll(BMA_POLL_GP);
	cr_assert_eq(stats(bma_group_root()).uncharged, 0);
	cr_assert_eq(stats(g).current, stats(g).slab_bytes);
	cr_assert_eq(bma_cache_destroy(d), 0);
}

/* An offline group's bytes are its parent's, also in a child; and not its own any more when they are recharged. */
Test(group_life, offline_bytes_count_once)
{
	struct bma_group *p = group(NULL, "p", 0, 0), *q = group(NULL, "q", 0, 0);
	struct bma_group *off = group(p, "off", 0, BMA_GROUP_OFFLINE);
	struct bma_cache *c = cache(off, BMA_CACHE_MERGE);
	uint64_t before;
	int status;

	for (int i = 0; i < 1000; i++)
		take(c);
	cr_assert_eq(bma_group_destroy(off), 0);
	before = stats(p).current;
	cr_assert_eq(stats(off).current, before);
	if (!fork())
		_exit(stats(p).current != before || stats(off).current != before);
	wait(&status);
	cr_assert_eq(status, 0);
	cr_assert_eq(bma_group_recharge(c, q), 0);
	cr_assert_eq(stats(p).current, 0);
	cr_assert_null(bma_group_find("/p/off"));
	cr_assert_eq(bma_group_destroy(p), 0);
}

/* Who allocated has one less, whoever frees, at once or later. */
Test(group_life, counts_are_of_who_allocated)
{
	struct bma_group *g = group(NULL, "g", 0, 0);
	struct bma_cache *a = cache(g, BMA_CACHE_MERGE | BMA_CACHE_COUNT);
	struct bma_cache *b = cache(g, BMA_CACHE_MERGE | BMA_CACHE_COUNT);
	void *p = take(a), *q = take(a);

	bma_cache_free(b, p);
	cr_assert_eq(bma_cache_destroy(a), -EBUSY);
	bma_cache_free_rcu(b, q);
	cr_assert_eq(bma_cache_destroy(a), 0);
	cr_assert_eq(bma_cache_destroy(b), 0);
}

/* Whoever asks first for the heap of the process does not pay for it. */
Test(group_life, the_global_heap_is_nobodys)
{
	struct bma_group *g = group(NULL, "g", 4096, 0), *was = bma_group_enter(g);
	struct bma_heap *all = bma_heap_global(), *own = bma_heap_create(NULL);
	void *p;

	bma_group_leave(was);
	cr_assert_eq(bma_heap_group(all), bma_group_root());
	cr_assert_eq(bma_heap_group(own), g);
	for (int i = 0; i < 100; i++)
		cr_assert_not_null(bma_heap_alloc_flags(all, 100, BMA_SLEEP));
	/* And frees what others who share left behind. */
	p = bma_heap_alloc_flags(own, 100, BMA_SLEEP);
	cr_assert_eq(bma_heap_of(p), all);
	cr_assert_eq(bma_heap_destroy(own), 0);
	cr_assert_eq(stats(g).objects, 1);
	bma_heap_free(all, p);
	bma_trim();
	cr_assert_eq(stats(g).current, 0);
}

static uint64_t charged;
static volatile int forked;
static const struct itimerval soon = {{0, 0}, {0, 1000}};

static void forks(int signal)
{
	pid_t pid = fork();

	(void)signal;
	if (!pid) {
		struct bma_group_stats a = stats(bma_group_find("/a")),
				       b = stats(bma_group_find("/b"));

		_exit(a.current + b.current != charged);
	}
	if (pid > 0) {
		int status;

		waitpid(pid, &status, 0);
		if (status)
			abort();
		forked++;
	}
	setitimer(ITIMER_REAL, &soon, NULL);
}

/* A handler that forks in the middle of a recharge finds all of it, or nothing. */
Test(group_life, forks_in_a_recharge, .timeout = 60)
{
	struct bma_group *a = group(NULL, "a", 0, 0), *b = group(NULL, "b", 0, 0);
	struct itimerval never = {{0, 0}, {0, 0}};
	struct bma_cache *c = cache(a, BMA_CACHE_MERGE);
	time_t begun;

	for (int i = 0; i < 100; i++)
		take(c);
	bma_group_reclaim(a, UINT64_MAX); /* no stock that a drain could change meanwhile */
	charged = stats(a).current;
	signal(SIGALRM, forks);
	begun = time(NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	/* A fork takes long where there is much to copy. */
	for (int i = 0; forked < 300 && (!forked || time(NULL) - begun < 10); i++)
		cr_assert_eq(bma_group_recharge(c, i % 2 ? a : b), 0);
	setitimer(ITIMER_REAL, &never, NULL);
	cr_assert_eq(stats(a).own, stats(a).objects * 64 + stats(a).stocked);
}

static void *asks(void *arg)
{
	while (!atomic_load(&stop))
		stats(arg);
	return NULL;
}

/* Somebody who asks for figures of all does not change what a group's limit may take from it. */
Test(group_life, protections_are_of_who_reclaims, .timeout = 60)
{
	struct bma_group_attr a = {
		.attr_size = sizeof a, .name = "g", .max = 1 << 20, .min = 1 << 20};
	struct bma_group *g = bma_group_create(NULL, &a);
	struct bma_cache *c = cache(g, 0), *d = cache(g, BMA_CACHE_MERGE);
	static void *p[8192];
	pthread_t t;

	pthread_create(&t, NULL, asks, g);
	for (int round = 0; round < 50; round++) {
		int n = 0;

		while (n < 8192 && (p[n] = bma_cache_alloc_flags(c, BMA_SLEEP)))
			n++;
		while (n)
			bma_cache_free(c, p[--n]);
		/* Nearly all of it is in slabs that nobody uses. */
		for (int i = 0; i < 1000; i++) {
			p[i] = bma_cache_alloc_flags(d, BMA_SLEEP);
			cr_assert_not_null(p[i], "round %d", round);
		}
		for (int i = 0; i < 1000; i++)
			bma_cache_free(d, p[i]);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
}
