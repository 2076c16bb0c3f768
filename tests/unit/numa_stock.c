/* SPDX-License-Identifier: MIT */
/* The stock of nodes that are named by callers who may not sleep, and of those that others send objects home to. */
#include "cache/cache.h"

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <stdlib.h>

static int on_node;

/* In the place of the C library's: four nodes with a CPU each. */
int sched_getcpu(void)
{
	return on_node;
}

static struct bma_cache *create(const char *conf, unsigned int flags)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 256, .numa.flags = flags};
	struct bma_cache *c;

	setenv("HWLOC_SYNTHETIC", "numa:4 core:1 pu:1", 1);
	setenv("BMA_CONF", conf, 1);
	c = bma_cache_create(&a);
	cr_assert_not_null(c);
	return c;
}

static void nap(void)
{
	bma__os_sleep(1000000);
}

Test(numa_stock, a_node_that_is_asked_for_is_refilled, .timeout = 60)
{
	struct bma_cache *c = create("", BMA_NUMA_STRICT);

	for (int i = 0; i < 1000; i++) {
		while (!bma_cache_alloc_node(c, 1, 0))
			nap();
	}
	cr_assert_gt(bma__count_read(&c->engine->depot[1].gets), 0);
}

enum { MANY = 200000 };
static void *objs[MANY];

Test(numa_stock, what_grace_periods_send_home_is_watched, .timeout = 120)
{
	struct bma_cache *c = create("idle_ms:600000", 0);
	struct bma__engine *e = c->engine;

	on_node = 1;
	for (int i = 0; i < MANY; i++)
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	on_node = 0;
	/* The worker has seen all that there is to see. */
	for (int quiet = 0; quiet < 500; quiet = e->watched ? 0 : quiet + 1)
		nap();
	for (int i = 0; i < MANY; i++)
		bma_cache_free_rcu(c, objs[i]);
	while (bma__count_read(&e->limbo))
		nap();
	while (bma__depot_depth(&e->depot[1]) > e->high_mags)
		nap();
}

/* Of two other nodes, one by the other, so that no magazine is sent home: they will do for who is not strict. */
Test(numa_stock, what_there_is_serves)
{
	enum { N = 20000 };
	struct bma_cache *c = create("worker:off", 0);

	for (unsigned int i = 0; i < N; i++)
		objs[i] = bma_cache_alloc_node(c, 1 + i % 2, BMA_SLEEP);
	cr_assert_eq(bma__reclaim_drain(c->engine, UINT64_MAX, NULL), 0);
	for (int i = 0; i < N; i++)
		bma_cache_free(c, objs[i]);
	cr_assert_geq(bma__depot_depth(&c->engine->depot[0]), 8);
	for (int i = 0; i < 1000; i++)
		cr_assert_not_null(bma_cache_alloc_node(c, 0, 0), "%d", i);
}

/* A magazine is counted when a slot takes it, not when a call takes one object out of it. */
Test(numa_stock, a_magazine_that_comes_back_is_not_counted)
{
	struct bma_cache *c = create("worker:off", 0);
	struct bma_node_stats before, after;

	cr_assert_eq(bma_node_stats_get(1, &before, sizeof before), 0);
	for (int i = 0; i < 200; i++)
		cr_assert_not_null(bma_cache_alloc_node(c, 1, BMA_SLEEP));
	cr_assert_eq(bma_node_stats_get(1, &after, sizeof after), 0);
	cr_assert_eq(after.local, before.local);
}
