/* SPDX-License-Identifier: MIT */
/* Who found no stock gets some, whoever is stopped, drained or refused meanwhile; and what nobody needs is watched. */
#include "cache/cache.h"

#include "test.h"

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static struct bma_cache *create(struct bma_cache_attr a)
{
	struct bma_cache *c;

	a.attr_size = sizeof a;
	c = bma_cache_create(&a);
	cr_assert_not_null(c);
	return c;
}

static void take_all(struct bma_cache *c)
{
	while (bma_cache_alloc(c))
		;
}

static void nap(void)
{
	bma__os_sleep(1000000);
}

/* The mark is a quarter of the stock, and a quarter of little is not nothing. */
Test(wish, a_small_reserve_is_kept_up)
{
	static const size_t sizes[] = {64, 100000};

	setenv("BMA_CONF", "worker:off", 1);
	for (size_t i = 0; i < 2; i++) {
		for (size_t reserve = 0; reserve < 6; reserve++) {
			struct bma_cache *c = create(
				(struct bma_cache_attr){.size = sizes[i], .reserve = reserve});

			take_all(c);
			for (int n = 0; n < 50; n++) {
				cr_assert_geq(bma_poll(0), 0);
				cr_assert_not_null(bma_cache_alloc(c), "%zu of %zu bytes, time %d",
						   reserve, sizes[i], n);
			}
		}
	}
}

Test(wish, a_depot_can_reach_its_mark)
{
	struct bma_cache *c;
	struct bma__engine *e;

	setenv("BMA_CONF", "worker:off", 1);
	c = create((struct bma_cache_attr){.size = 64, .low = 4000});
	e = c->engine;
	bma__worker_kick(e);
	cr_assert_geq(bma_poll(0), 0);
	cr_assert_geq(bma__depot_depth(&e->depot[0]), e->low_mags);
}

/* Objects of 100 rounds. @stopped threads are between the count of a put and the push, with a magazine in hand each. */
static unsigned int got_beside(size_t reserve, unsigned int stopped)
{
	struct bma_cache *c = create((struct bma_cache_attr){.size = 64, .reserve = reserve});
	unsigned int got = 0;

	take_all(c);
	bma__count_raise(&c->engine->depot[0].puts, (uint64_t)stopped);
	for (int i = 0; i < 100; i++) {
		got += bma_cache_alloc(c) != NULL;
		bma_poll(0);
	}
	return got;
}

Test(wish, counts_of_who_is_stopped_hide_no_empty_depot)
{
	setenv("BMA_CONF", "worker:off", 1);
	cr_assert_gt(got_beside(1000, 1), 90);
	cr_assert_gt(got_beside(0, 1), 90);
	cr_assert_gt(got_beside(0, 12), 90);
}

static struct bma_cache *big;
static _Atomic int hold, held, stop;

static void holds(int sig)
{
	(void)sig;
	held = 1;
	while (hold)
		sched_yield();
	held = 0;
}

static void *put_and_get(void *unused)
{
	(void)unused;
	while (!stop)
		bma_cache_free(big, bma_cache_alloc(big));
	return NULL;
}

/* All that there is, with a thread held wherever it is; then one more is wanted. */
static bool is_served(void)
{
	void *mine[64];
	bool served = false;
	int n = 0;

	while (n < 63 && (mine[n] = bma_cache_alloc(big)))
		n++;
	for (int i = 0; i < 5000 && !served; i++) {
		mine[n] = bma_cache_alloc(big);
		served = mine[n];
		if (!served)
			nap();
	}
	n += served;
	while (n)
		bma_cache_free(big, mine[--n]);
	return served;
}

Test(wish, a_thread_that_is_held_starves_nobody, .timeout = 120)
{
	pthread_t t;

	big = create((struct bma_cache_attr){.size = 100000, .reserve = 4});
	signal(SIGUSR1, holds);
	cr_assert_eq(pthread_create(&t, NULL, put_and_get, NULL), 0);
	for (unsigned int i = 0; i < 500; i++) {
		bma__os_sleep(100000 + i % 7 * 30000);
		hold = 1;
		pthread_kill(t, SIGUSR1);
		while (!held)
			sched_yield();
		cr_assert(is_served(), "time %u", i);
		hold = 0;
		while (held)
			sched_yield();
	}
	stop = 1;
	pthread_join(t, NULL);
}

/* Nobody but callers that name a node. */
Test(wish, an_owned_cache_asks_for_a_node, .timeout = 60)
{
	struct bma_group_attr ga = {.attr_size = sizeof ga, .name = "g"};
	struct bma_group *g = bma_group_create(NULL, &ga);
	struct bma_cache *c;

	cr_assert_not_null(g);
	c = create((struct bma_cache_attr){.size = 256, .flags = BMA_CACHE_MERGE, .group = g});
	cr_assert(c->owner);
	cr_assert_eq(bma_trim(), 0);
	while (!bma_cache_alloc_node(c, 0, 0))
		nap();
}

static _Atomic int destroyed, blocked, go;

static void count(void *obj, void *ctx)
{
	(void)obj, (void)ctx;
	destroyed++;
}

static void block(void *obj, void *ctx)
{
	(void)obj, (void)ctx;
	blocked = 1;
	while (!go)
		nap();
}

/* The worker has been told of slabs to finish, and is busy; a group at its limit drains their cache before it comes. */
Test(wish, a_drain_leaves_what_is_to_be_finished, .timeout = 60)
{
	enum { N = 64 };
	struct bma_cache *slow = create((struct bma_cache_attr){.size = 8192, .dtor = block});
	struct bma_cache *c = create((struct bma_cache_attr){.size = 8192, .dtor = count});
	struct bma__engine *e = c->engine;
	void *objs[N];

	for (int i = 0; i < N; i++)
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (int i = 0; i < N; i++)
		bma_cache_free(c, objs[i]);
	cr_assert_eq(bma__reclaim_drain(slow->engine, UINT64_MAX, NULL), 0);
	while (!blocked)
		nap();
	cr_assert_eq(bma__reclaim_drain(e, UINT64_MAX, NULL), 0);
	while (!e->finish_slabs || bma__defer_pending(e->flavor))
		nap();
	cr_assert_eq(bma__reclaim_drain(e, UINT64_MAX, NULL), 0);
	go = 1;
	while (e->finish_slabs)
		nap();
	cr_assert_geq(destroyed, N);
}

/* The worker has the need, not yet the wish; a trim; a call that fails: its wish is of after the trim. */
Test(wish, one_of_after_a_drain_counts)
{
	struct bma_cache *c;
	struct bma__engine *e;
	uint64_t wish;

	setenv("BMA_CONF", "worker:off", 1);
	c = create((struct bma_cache_attr){.size = 64});
	e = c->engine;
	bma__worker_kick(e);
	cr_assert_eq(bma__reclaim_drain(e, UINT64_MAX, NULL), 0);
	cr_assert_null(bma_cache_alloc(c));
	wish = atomic_exchange(&e->wants, 0);
	cr_assert(wish & 1);
	bma__refill_service(e, true, (uint32_t)(wish >> 1));
	cr_assert_not_null(bma_cache_alloc(c));
}

enum { LIVE = 400000, SLOT = 65000 };
static void *live[LIVE], *burst[SLOT];

static void fill_slot(struct bma_cache *c)
{
	for (int i = 0; i < SLOT; i++)
		burst[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (int i = 0; i < SLOT; i++)
		bma_cache_free(c, burst[i]);
}

/* Nearly all is free, and slots hold much of what is kept: it is renewed, and stands in the depot then, which nobody uses. */
Test(wish, what_a_renewal_brings_is_watched, .timeout = 120)
{
	struct bma_cache *c;
	struct bma__engine *e;

	setenv("BMA_CONF", "purge_ms:400,index:cpu", 1);
	c = create((struct bma_cache_attr){.size = 64});
	e = c->engine;
	test_pin(0);
	for (int i = 0; i < LIVE; i++)
		live[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (int i = 0; i < 30; i++)
		fill_slot(c);
	for (int i = 0; i < LIVE; i++) {
		if (i % 500)
			bma_cache_free(c, live[i]);
	}
	for (int i = 0; i < 3000 && !e->renewals; i++)
		nap();
	while (bma__depot_depth(&e->depot[0]) > e->high_mags || bma__slot_count(e, 0) > SLOT)
		nap();
}

/* No stock would help against it. */
Test(wish, a_limit_is_no_empty_depot)
{
	struct bma_group_attr ga = {.attr_size = sizeof ga, .name = "g", .max = 65536};
	struct bma_cache_stats s;
	struct bma_group *g;
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 1);
	g = bma_group_create(NULL, &ga);
	cr_assert_not_null(g);
	c = create((struct bma_cache_attr){.size = 1024, .flags = BMA_CACHE_MERGE, .group = g});
	while (bma_cache_alloc_flags(c, BMA_SLEEP))
		;
	for (int i = 0; i < 6; i++) {
		cr_assert_null(bma_cache_alloc(c));
		cr_assert_geq(bma_poll(0), 0);
	}
	cr_assert_eq(c->engine->boost, 0);
	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	cr_assert_geq(s.fail_depot_empty, 6);
}
