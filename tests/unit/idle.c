/* SPDX-License-Identifier: MIT */
/* Idle slots: what they hold and what they cost is given back; those in use keep it, unless others miss it. */
#include "cache/cache.h"

#include "test.h"

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <stdlib.h>

#define MIB ((uint64_t)1 << 20)
#define MS 1000000u

static struct bma_cache *cache_of(size_t size)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "idle", .size = size};
	struct bma_cache *c = bma_cache_create(&a);

	/* Or the slot that is left behind by a move is idle. */
	test_pin(0);
	cr_assert_not_null(c);
	return c;
}

/* Whole tapes out and in again. */
static void work(struct bma_cache *c, int n)
{
	static void *p[4000];

	for (int round = 0; round < 6; round++) {
		for (int i = 0; i < n; i++) {
			cr_assert_not_null(p[i] = bma_cache_alloc_flags(c, BMA_SLEEP));
			*(int *)p[i] = i;
		}
		for (int i = 0; i < n; i++) {
			cr_assert_eq(*(int *)p[i], i, "handed out twice");
			bma_cache_free(c, p[i]);
		}
	}
}

static struct bma_cache_stats figures(struct bma_cache *c)
{
	struct bma_cache_stats s;

	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	cr_assert_eq(s.live + s.cached + s.limbo + s.parked + s.reserved + s.slab_free, s.carved);
	return s;
}

/* As much as the looks of @n quarters of 20 ms. */
static void poll_for(int n)
{
	for (int i = 0; i < n; i++) {
		bma__os_sleep(6 * MS);
		bma_poll(0);
	}
}

Test(idle, after_a_while_nothing_is_charged_and_the_stock_is_small)
{
	struct bma_cache_stats s;
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off,idle_ms:20", 1);
	c = cache_of(64);
	work(c, 4000);
	s = figures(c);
	cr_assert_geq(s.cached, 4000);
	cr_assert_geq(bma__budget_used(), 4000 * 64);
	bma_poll(0); /* the first look */
	cr_assert_geq(bma__budget_used(), 4000 * 64, "not at once");
	poll_for(12);
	cr_assert_eq(bma__budget_used(), 0);
	s = figures(c);
	cr_assert_eq(s.live, 0);
	cr_assert_geq(s.idle_drains, 1);
	cr_assert_eq(s.cached, s.depot);
	cr_assert_leq(s.depot, s.depot_target);
	cr_assert_lt(s.depot_target, 4000);
	work(c, 4000);
	cr_assert_geq(bma__budget_used(), 4000 * 64);
	cr_assert_eq(figures(c).live, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_eq(bma__budget_used(), 0);
}

Test(idle, a_slot_in_use_keeps_its_own)
{
	struct bma_cache *c;
	void *p[200];
	int n = 0;

	setenv("BMA_CONF", "worker:off,idle_ms:200", 1);
	c = cache_of(64);
	for (int i = 0; i < 60; i++) {
		p[n++] = bma_cache_alloc_flags(c, BMA_SLEEP);
		poll_for(1);
	}
	cr_assert_eq(figures(c).idle_drains, 0);
	cr_assert_gt(bma__budget_used(), 0);
	while (n)
		bma_cache_free(c, p[--n]);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(idle, a_quarter_of_the_time_is_not_enough)
{
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off,idle_ms:2000", 1);
	c = cache_of(64);
	work(c, 1000);
	bma_poll(0);
	bma__os_sleep(520 * MS);
	bma_poll(0);
	cr_assert_geq(bma__budget_used(), 1000 * 64);
	cr_assert_eq(figures(c).idle_drains, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(idle, zero_is_never)
{
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off,idle_ms:0", 1);
	c = cache_of(64);
	work(c, 1000);
	poll_for(12);
	cr_assert_geq(bma__budget_used(), 1000 * 64);
	cr_assert_eq(figures(c).idle_drains, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* The first one is not idle at any look, but needs no more than it holds. */
Test(idle, who_misses_room_gets_it_from_who_has_much)
{
	struct bma_cache *c[2];
	struct bma__slot *s = NULL;
	void *p[400];
	int n = 0;

	/* 127 KiB a magazine of the second one. */
	setenv("BMA_CONF", "worker:off,rseq:off,idle_ms:20,cache_budget:1", 1);
	c[0] = cache_of(256);
	c[1] = cache_of(512);
	work(c[0], 4000);
	cr_assert_geq(bma__budget_used(), MIB - 254 * 512);
	for (int i = 0; i < 20; i++) {
		p[n++] = bma_cache_alloc_flags(c[0], BMA_SLEEP);
		poll_for(1);
	}
	cr_assert_eq(figures(c[0]).idle_drains, 0, "nobody misses anything");
	bma_cache_free(c[1], bma_cache_alloc_flags(c[1], BMA_SLEEP));
	s = bma__slot_at(c[1]->engine, bma__cpu.slots + bma__plane_guest_hash());
	cr_assert_eq(bma__budget_limit(s), 0);
	cr_assert_eq(figures(c[1]).budget_refused, 1);
	for (int i = 0; i < 3; i++) {
		p[n++] = bma_cache_alloc_flags(c[0], BMA_SLEEP);
		poll_for(1);
	}
	cr_assert_eq(figures(c[0]).idle_drains, 1);
	bma_cache_free(c[1], bma_cache_alloc_flags(c[1], BMA_SLEEP));
	cr_assert_gt(bma__budget_limit(s), 0);
	while (n)
		bma_cache_free(c[0], p[--n]);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(bma_cache_destroy(c[i]), 0);
	cr_assert_eq(bma__budget_used(), 0);
}

static int fails_from;

static int failing_fence(int cmd)
{
	return fails_from-- > 0 ? bma__os_real.membarrier(cmd) : -12;
}

Test(idle, a_fence_that_fails_loses_nothing)
{
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off,idle_ms:20", 1);
	c = cache_of(64);
	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	for (int first = 0; first < 2; first++) {
		uint64_t used, drains = figures(c).idle_drains;

		work(c, 2000);
		used = bma__budget_used();
		bma__os.membarrier = failing_fence;
		for (int i = 0; i < 12; i++) {
			fails_from = first;
			poll_for(1);
		}
		bma__os.membarrier = bma__os_real.membarrier;
		cr_assert_eq(figures(c).live, 0);
		cr_assert_eq(bma__budget_used(), used, "what stays is charged");
		cr_assert_eq(figures(c).idle_drains, drains);
		poll_for(12);
		cr_assert_eq(bma__budget_used(), 0);
		cr_assert_gt(figures(c).idle_drains, drains);
	}
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(idle, the_worker_looks_by_itself)
{
	struct bma_cache *c;
	uint64_t until;

	setenv("BMA_CONF", "idle_ms:20", 1);
	c = cache_of(64);
	for (int round = 0; round < 3; round++) {
		work(c, 4000);
		until = bma__os_now() + 20000ull * MS;
		while ((bma__budget_used() || figures(c).depot > figures(c).depot_target) &&
		       bma__os_now() < until)
			bma__os_sleep(MS);
		cr_assert_eq(bma__budget_used(), 0);
		cr_assert_leq(figures(c).depot, figures(c).depot_target);
		cr_assert_eq(figures(c).live, 0);
	}
	cr_assert_eq(bma_cache_destroy(c), 0);
}
