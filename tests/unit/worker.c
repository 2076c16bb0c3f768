/* SPDX-License-Identifier: MIT */
/* Refill and drain by watermark: by the worker, and by bma_poll() without it. */
#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#include "threads.h"

static struct bma_cache *create(size_t size)
{
	struct bma_cache_attr a;

	memset(&a, 0, sizeof a);
	a.attr_size = sizeof a;
	a.size = size;
	return bma_cache_create(&a);
}

static struct bma_cache_stats stats(struct bma_cache *c)
{
	struct bma_cache_stats s;

	bma_cache_stats_get(c, &s, sizeof s);
	return s;
}

static void nap(void)
{
	struct timespec ts = {0, 1000000};

	nanosleep(&ts, NULL);
}

Test(worker, refills_a_depot_that_ran_low, .timeout = 20)
{
	struct bma_cache *c = create(64);

	/* It may well keep up with us for ever; enough to make it work. */
	for (int i = 0; i < 100000 && bma_cache_alloc(c); i++)
		;
	/* The low watermark is a quarter of the target. */
	while (stats(c).depot < stats(c).depot_target / 4)
		nap();
	cr_assert_gt(stats(c).refills, 4);
	cr_assert_not_null(bma_cache_alloc(c), "service resumed by itself");
}

Test(worker, drains_a_depot_that_nobody_uses, .timeout = 60)
{
	enum { N = 100000 };
	struct bma_cache *c = create(64);
	static void *p[N];

	for (int i = 0; i < N; i++)
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (int i = 0; i < N; i++)
		bma_cache_free(c, p[i]);
	while (stats(c).depot > stats(c).depot_target)
		nap();
	cr_assert_gt(stats(c).drains, 0);
	cr_assert_eq(stats(c).live, 0);
}

Test(worker, is_not_woken_for_nothing)
{
	struct bma_cache *c = create(64);
	struct bma_stats before, after;
	void *p[100];

	bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	for (int i = 0; i < 50; i++)
		nap();
	bma_stats_get(&before, sizeof before);
	for (int round = 0; round < 10000; round++) {
		for (int i = 0; i < 100; i++)
			p[i] = bma_cache_alloc(c);
		for (int i = 0; i < 100; i++)
			bma_cache_free(c, p[i]);
	}
	bma_stats_get(&after, sizeof after);
	cr_assert_leq(after.worker_wakes - before.worker_wakes, 2);
}

Test(poll, does_the_same_without_a_thread)
{
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 1);
	c = create(64);
	while (bma_cache_alloc(c))
		;
	cr_assert_null(bma_cache_alloc(c));
	cr_assert_gt(bma_poll(0), 0);
	cr_assert_not_null(bma_cache_alloc(c));
	cr_assert_eq(bma_poll(0), 0, "nothing left to do");
	cr_assert_eq(bma_poll(~0u), -EINVAL);
}

Test(poll, waits_for_a_grace_period_only_if_asked)
{
	struct bma_cache *c;
	struct bma_stats s;
	void *p;

	setenv("BMA_CONF", "worker:off", 1);
	c = create(4096);
	p = bma_cache_alloc(c);
	bma_cache_free(c, p);
	cr_assert_eq(bma_cache_destroy(c), 0);
	bma_stats_get(&s, sizeof s);
	cr_assert_gt(s.purge_bytes, 0);
	bma_poll(0);
	bma_stats_get(&s, sizeof s);
	cr_assert_gt(s.purge_bytes, 0);
	bma_poll(BMA_POLL_GP);
	bma_stats_get(&s, sizeof s);
	cr_assert_eq(s.purge_bytes, 0);
	cr_assert_geq(s.grace_periods, 1);
}

Test(trim, gives_the_memory_back)
{
	enum { N = 50000 };
	struct bma_cache *c = create(256);
	static void *p[N];
	struct bma_stats s;

	for (int i = 0; i < N; i++) {
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		memset(p[i], 1, 256);
	}
	for (int i = 0; i < N; i++)
		bma_cache_free(c, p[i]);
	bma_shutdown();
	cr_assert_eq(bma_trim(), 0);
	bma_stats_get(&s, sizeof s);
	cr_assert_eq(s.slab_bytes, 0);
	cr_assert_eq(stats(c).carved, 0);
	cr_assert_not_null(bma_cache_alloc_flags(c, BMA_SLEEP), "and goes on");
}

Test(trim, inside_a_read_section_does_not_wait)
{
	struct bma_cache *c;
	void *p;

	setenv("BMA_CONF", "worker:off", 1);
	c = create(64);
	p = bma_cache_alloc(c);
	bma_cache_free(c, p);
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	cr_assert_eq(bma_trim(), -EDEADLK);
	cr_assert_eq(bma_shutdown(), -EDEADLK);
	urcu_memb_read_unlock();
	cr_assert_eq(bma_trim(), 0);
	urcu_memb_unregister_thread();
}

/* Type stability: what a reader may still look at stays mapped until it has left. */
Test(trim, memory_stays_while_a_reader_may_look, .timeout = 30)
{
	struct bma_cache *c = create(64);
	volatile long *p = bma_cache_alloc(c);

	urcu_memb_register_thread();
	*p = 42;
	urcu_memb_read_lock();
	bma_cache_free(c, (void *)p);
	bma_trim();
	cr_assert_eq(bma_cache_destroy(c), 0);
	for (int i = 0; i < 100; i++) {
		nap();
		cr_assert_eq(*p, 42, "given back under a reader");
	}
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
}

Test(shutdown, joins_the_threads_and_they_come_back)
{
	unsigned int before = threads_now();
	struct bma_cache *c = create(64);

	cr_assert_eq(threads_now(), before + 2);
	cr_assert_eq(bma_shutdown(), 0);
	cr_assert_eq(threads_left(before), before);
	for (int i = 0; i < 100000 && bma_cache_alloc(c); i++)
		;
	cr_assert_not_null(bma_cache_alloc_flags(c, BMA_SLEEP));
	cr_assert_eq(threads_now(), before + 2);
}

Test(shutdown, the_threads_block_all_signals)
{
	create(64);
	signal(SIGUSR1, SIG_DFL);
	for (int i = 0; i < 100; i++) {
		sigset_t set, old;

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, &old);
		kill(getpid(), SIGUSR1); /* would end the process on a thread that takes it */
		nap();
		cr_assert_eq(sigpending(&set), 0);
		cr_assert(sigismember(&set, SIGUSR1));
	}
}
