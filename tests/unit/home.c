/* SPDX-License-Identifier: MIT */
/* What comes home, and what goes on after not all did. */
#include "fault.h"

#include <errno.h>

static struct bma_cache handle;

Test(home, a_drain_brings_every_magazine_home, .timeout = 60)
{
	enum { BATCH = 510, N = 3 * BATCH, ROUNDS = 400 };
	struct bma__engine *e = engine(8, BATCH);
	uint64_t away, before = 0;
	static void *p[N];

	handle = (struct bma_cache){.head = e->head, .engine = e};
	for (int round = 0; round < ROUNDS; round++) {
		for (int turn = 0; turn < 2; turn++) {
			for (int i = 0; i < N; i++)
				p[i] = bma_cache_alloc_flags(&handle, BMA_SLEEP);
			/* The tape stands full on the left or empty on the right. */
			if (turn)
				cr_assert_eq(bma__reclaim_drain(e, 0, &away), 0);
			for (int i = 0; i < N; i++)
				bma_cache_free(&handle, p[i]);
		}
		cr_assert_eq(bma__reclaim_drain(e, 0, &away), 0);
		cr_assert_eq(away, 0);
		bma__defer_wait(e->flavor);
		if (round == 3)
			before = bma__mag_bytes();
	}
	cr_assert_eq(bma__mag_bytes(), before);
}

Test(home, a_refused_destroy_leaves_a_cache_that_is_refilled)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 1);
	c = bma_cache_create(&a);
	cr_assert_not_null(bma_cache_alloc(c));
	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
	while (bma_cache_alloc(c))
		;
	cr_assert_gt(bma_poll(0), 0);
	cr_assert_not_null(bma_cache_alloc(c));
}

static uint64_t constructed;

static void construct(void *obj, void *ctx)
{
	(void)ctx;
	constructed++;
	*(int *)obj = 1;
}

/* One object keeps its slab, so the others are taken from there again: as their last user left them. */
Test(home, what_was_home_is_not_constructed_again)
{
	enum { N = 100 };
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = 64, .batch = 6, .ctor = construct};
	struct bma_cache_stats s;
	struct bma_cache *c;
	int *p[N], kept = 0;

	setenv("BMA_CONF", "worker:off", 1);
	c = bma_cache_create(&a);
	for (int i = 0; i < N; i++) {
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		cr_assert_eq(*p[i], 1);
		*p[i] = 2;
	}
	for (int i = 1; i < N; i++)
		bma_cache_free(c, p[i]);
	cr_assert_eq(bma_trim(), 0);
	for (int i = 1; i < N; i++) {
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		kept += *p[i] == 2;
	}
	cr_assert_geq(kept, N - 1 - 6);
	bma_cache_stats_get(c, &s, sizeof s);
	cr_assert_eq(constructed, s.carved);
}

static uint64_t wakes(void)
{
	struct bma_stats s;

	bma_stats_get(&s, sizeof s);
	return s.worker_wakes;
}

/* Traffic with the depot that leaves it between its watermarks is nothing that the worker has to know of. */
Test(home, the_worker_sleeps_while_the_depot_is_well_stocked, .timeout = 60)
{
	enum { N = 2000, ROUNDS = 40 };
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = 64, .batch = 62, .high = 186, .reserve = 50000};
	struct bma_cache *c = bma_cache_create(&a);
	static void *p[N];
	uint64_t before = 0;

	for (int round = -5; round < ROUNDS; round++) {
		if (!round)
			before = wakes();
		for (int i = 0; i < N; i++) {
			p[i] = bma_cache_alloc(c);
			cr_assert_not_null(p[i]);
		}
		for (int i = 0; i < N; i++)
			bma_cache_free(c, p[i]);
		bma__os_sleep(2000000);
	}
	cr_assert_leq(wakes() - before, 4, "%llu", (unsigned long long)(wakes() - before));
	cr_assert_eq(bma_cache_destroy(c), 0);
}
