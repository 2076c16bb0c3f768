/* SPDX-License-Identifier: MIT */
/* Limbo of one engine, without the worker: filling, sealing, flushing, merging. */
#include "limbo.h"

static void fill_and_flush(struct bma__engine *e)
{
	void *p[3 * CAPACITY + 1];

	take(e, p, 3 * CAPACITY + 1);
	for (int i = 0; i < CAPACITY; i++) {
		bma__limbo_free(e, p[i], true);
		assert_places(e, (uint64_t)i + 1, 0);
	}
	bma__limbo_free(e, p[CAPACITY], true);
	assert_places(e, 1, CAPACITY);
	free_all(e, p + CAPACITY + 1, 2 * CAPACITY);
	assert_places(e, 1, 3 * CAPACITY);
	cr_assert_eq(bma__limbo_flush(e->flavor), 0);
	assert_places(e, 0, 3 * CAPACITY + 1);
	cr_assert_eq(bma__limbo_flush(e->flavor), 0);
	cr_assert(!bma__need_any(&e->flavor->filling));
	cr_assert_eq(bma__defer_wait(e->flavor), 0);
	assert_places(e, 0, 0);
	cr_assert_eq(live(e), 0);
}

Test(limbo, a_slot_fills_and_is_sealed)
{
	fill_and_flush(engine_of_one_slot());
}

Test(limbo, a_guest_slot_fills_and_is_sealed)
{
	fill_and_flush(engine_of_guests());
}

/* One is owned: it keeps what it has, and somebody will look again. */
Test(limbo, an_owned_guest_slot_is_left_alone)
{
	struct bma__engine *e = engine_of_guests();
	struct bma__slot *s;
	uintptr_t word;
	void *p[2];

	take(e, p, 2);
	free_all(e, p, 2);
	s = bma__slot_at(e, bma__plane_home());
	word = s->limbo;
	cr_assert_neq(word, 0);
	s->owner = 1;
	for (int i = 0; i < 3; i++) {
		cr_assert_gt(bma__limbo_flush(e->flavor), 0);
		cr_assert_eq(s->limbo, word);
		assert_places(e, 2, 0);
	}
	s->owner = 0;
	cr_assert_eq(bma__limbo_flush(e->flavor), 0);
	assert_places(e, 0, 2);
	cr_assert_eq(live(e), 0);
}

static int fences;

static int failing_fence(int cmd)
{
	return fences-- > 0 ? bma__os_real.membarrier(cmd) : -12;
}

/* Neither the first nor the second. */
Test(limbo, a_fence_that_fails_loses_nothing)
{
	struct bma__engine *e = engine_of_one_slot();
	struct bma__slot *s;
	uintptr_t word;
	void *p[2];

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	take(e, p, 2);
	free_all(e, p, 2);
	s = bma__slot_at(e, bma__plane_home());
	word = s->limbo;
	cr_assert_neq(word, 0);
	bma__os.membarrier = failing_fence;
	for (int good = 0; good < 2; good++) {
		fences = good;
		cr_assert_eq(bma__limbo_flush(e->flavor), -12);
		cr_assert_eq(s->limbo, word, "after %d that went well", good);
		cr_assert_eq(s->freeze_limbo, 0);
		cr_assert_eq(e->pins, 0);
		cr_assert_eq(e->begun, e->ended);
		assert_places(e, 2, 0);
		fences = good;
		cr_assert_eq(bma__reclaim_barrier(e), -12);
		assert_places(e, 2, 0);
	}
	bma__os.membarrier = bma__os_real.membarrier;
	cr_assert_eq(bma__reclaim_barrier(e), 0);
	assert_places(e, 0, 0);
	cr_assert_eq(live(e), 0);
}

Test(limbo, a_frozen_slot_is_passed_by)
{
	enum { N = 100 };
	struct bma__engine *e = engine(64, CAPACITY);
	void *p[N];

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	take(e, p, N);
	for (uint32_t plane = 0; plane < bma__cpu.slots; plane++)
		bma__slot_at(e, plane)->freeze_limbo = 1;
	free_all(e, p, N);
	for (uint32_t plane = 0; plane < bma__cpu.slots; plane++) {
		cr_assert_eq(bma__slot_at(e, plane)->limbo, 0);
		bma__slot_at(e, plane)->freeze_limbo = 0;
	}
	cr_assert_eq(e->aborts, 0, "found out by trying");
	cr_assert_eq(bma__limbo_count(e) + bma__count_read(&e->limbo), N);
	cr_assert_eq(bma__count_read(&e->limbo_slots), words(e));
	cr_assert_eq(bma__reclaim_barrier(e), 0);
	assert_places(e, 0, 0);
	cr_assert_eq(live(e), 0);
}

/* Of nearly empty magazines there are as few after a grace period as their objects need. */
Test(limbo, small_magazines_are_merged)
{
	static const unsigned int objects[] = {1, 2, 3, 4, 6, 1, 1, 2, 5, 1, 2, 2, 3, 1};
	struct bma__engine *e = engine_of_one_slot();
	uint32_t small = 0, large = 0, n = 0, depth, empties;
	void *p[CAPACITY];

	for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
		take(e, p, objects[i]);
		free_all(e, p, objects[i]);
		cr_assert_eq(bma__limbo_flush(e->flavor), 0);
		n += objects[i];
		if (objects[i] >= CAPACITY / 2)
			large++;
		else
			small += objects[i];
	}
	assert_places(e, 0, n);
	depth = bma__depot_depth(e->depot);
	empties = bma__depot_empties(e->depot);
	cr_assert_eq(bma__defer_wait(e->flavor), 0);
	assert_places(e, 0, 0);
	cr_assert_eq(bma__depot_depth(e->depot) - depth, large + (small + CAPACITY - 1) / CAPACITY);
	cr_assert_gt(bma__depot_empties(e->depot), empties, "and the empty ones are at hand");
}

/* As when magazines move while they are counted. */
Test(limbo, what_is_seen_twice_is_in_one_line_of_the_ledger)
{
	struct bma__engine *e = engine_of_one_slot();
	struct bma_cache_stats s;
	void *p[4];

	take(e, p, 4);
	atomic_fetch_add(&e->reserved, 1000);
	bma__count_raise(&e->limbo, 1000);
	cr_assert_eq(bma_cache_stats_get(bma__engine_handle(e), &s, sizeof s), 0);
	cr_assert_eq(s.live + s.cached + s.limbo + s.parked + s.reserved + s.slab_free, s.carved);
	cr_assert_eq(s.live, 0);
}
