/* SPDX-License-Identifier: MIT */
/* Deferred frees that are interrupted, or stopped for ever, where it matters; and what a child of fork makes of it. */
#include "limbo.h"

#define HELD 60

static struct bma_cache handle;
static void *nested[16];
static int nested_frees, nested_allocs;

static void use_in_handler(void)
{
	for (int i = 0; i < nested_frees; i++)
		bma_cache_free_rcu(&handle, nested[i]);
	for (int i = 0; i < nested_allocs; i++)
		nested[i] = bma_cache_alloc(&handle);
}

static struct bma__engine *engine_and_handle(void)
{
	struct bma__engine *e = engine_of_one_slot();

	handle = (struct bma_cache){.head = e->head, .engine = e};
	return e;
}

static uintptr_t page_of(uintptr_t address)
{
	return address & ~(uintptr_t)(BMA_PAGE - 1);
}

static uintptr_t next_magazine(struct bma__engine *e)
{
	uintptr_t word = bma__depot_get_empty(e);

	cr_assert_neq(word, 0);
	bma__depot_put_empty(e, word);
	return word;
}

enum call { FREE_RCU, FREE, ALLOC };

/*
 * One call with @have objects in the slot's limbo faults at its first write to the page of @at. The handler
 * frees @frees objects of the same cache after a grace period and takes @allocs. Nothing may be lost or be there twice.
 */
static void interrupted(enum call call, int have, bool at_magazine, int frees, int allocs)
{
	struct bma__engine *e = engine_and_handle();
	struct bma__slot *s = bma__slot_at(e, bma__plane_home());
	uint64_t away, limbo = (uint64_t)(have + frees + (call == FREE_RCU));
	void *p[HELD + 16], *obj;
	int n = HELD;

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	cr_assert_eq(bma_cache_alloc_bulk(&handle, p, HELD, BMA_SLEEP), HELD);
	/* Some on the tape, for what allocates. */
	for (int i = 0; i < 20; i++)
		bma_cache_free(&handle, p[--n]);
	for (int i = 0; i < have; i++)
		bma_cache_free_rcu(&handle, p[--n]);
	for (int i = 0; i < frees; i++)
		nested[i] = p[--n];
	nested_frees = frees;
	nested_allocs = allocs;
	faults = 0;
	arm_fault((void *)page_of(at_magazine ? next_magazine(e) : (uintptr_t)s), BMA_PAGE,
		  PROT_READ, use_in_handler);
	if (call == FREE_RCU) {
		bma_cache_free_rcu(&handle, p[--n]);
	} else if (call == FREE) {
		bma_cache_free(&handle, p[--n]);
	} else {
		obj = bma_cache_alloc(&handle);
		cr_assert_not_null(obj);
		p[n++] = obj;
	}
	cr_assert_eq(faults, 1);
	for (int i = 0; i < allocs; i++) {
		cr_assert_not_null(nested[i]);
		p[n++] = nested[i];
	}
	cr_assert_eq(bma__limbo_count(e) + bma__count_read(&e->limbo), limbo,
		     "%d in the slot, %d in the handler", have, frees);
	cr_assert_eq(bma__count_read(&e->limbo_slots), 1);
	cr_assert_eq(bma__reclaim_barrier(e), 0);
	cr_assert_eq(bma__count_read(&e->limbo_slots), 0);
	cr_assert_eq(bma__reclaim_drain(e, 0, &away), 0); /* aborts on one that is there twice */
	cr_assert_eq(away, (uint64_t)n, "%d in the slot: %llu are out", have,
		     (unsigned long long)away);
	while (n)
		bma_cache_free(&handle, p[--n]);
	cr_assert_eq(bma__reclaim_engine(e, &away), 0);
	cr_assert_eq(away, 0);
	bma__engine_free(e);
}

/* The first write to the slot: that of a sequence, or of a ticket. */
Test(limbo_race, a_call_is_interrupted_at_its_slot, .timeout = 60)
{
	for (int have = 0; have <= 2 * CAPACITY + 1; have++) {
		interrupted(FREE_RCU, have, false, 4, 0);
		interrupted(FREE_RCU, have, false, 1, 0);
		interrupted(FREE, have, false, 4, 0);
		interrupted(ALLOC, have, false, 4, 0);
		if (have)
			interrupted(FREE_RCU, have, false, 0, 4);
	}
}

/* The new magazine is filled between the look at the slot and the change of its word. */
Test(limbo_race, a_change_is_interrupted, .timeout = 60)
{
	for (int have = 0; have <= 2 * CAPACITY; have += CAPACITY) {
		for (int frees = 1; frees <= 2 * CAPACITY + 1; frees++)
			interrupted(FREE_RCU, have, true, frees, 0);
	}
}

/*
 * A thread that is stopped between its announcement and the change of the word: others go on, and when it goes on
 * at last somebody still looks.
 */
Test(limbo_race, a_stopped_thread_strands_nothing, .timeout = 20)
{
	struct bma__engine *e = engine(64, CAPACITY);
	struct bma__flavor *f = e->flavor;
	struct bma__slot *s;
	uint32_t plane;
	uintptr_t word;
	void *p[2];

	for (int i = 0; i < 2; i++)
		cr_assert_not_null(p[i] = bma__slot_alloc(e));
	bma__count_raise(&e->limbo_slots, 1);
	bma__need_set(&f->filling, e->id);
	cr_assert_eq(bma__limbo_flush(f), 0);
	cr_assert(bma__need_any(&f->filling), "nobody would look again");
	bma__env.worker = true;
	bma__env.flush_ns = 1000000;
	cr_assert_eq(bma__defer_start(f), 0);
	bma__limbo_free(e, p[0], true);
	while (bma__limbo_count(e) || bma__count_read(&e->limbo))
		bma__os_sleep(100000);
	bma__os_sleep(20000000); /* some flushes */
	plane = bma__cpu.slots + 1;
	s = bma__slot_at(e, plane);
	word = bma__depot_get_empty(e) + 8;
	*(void **)word = p[1];
	bma__plane_use(e, plane);
	s->limbo = word;
	while (s->limbo || bma__count_read(&e->limbo))
		bma__os_sleep(100000);
	cr_assert_eq(bma__count_read(&e->limbo_slots), 0);
}

/* Nor is a barrier held up by a thread that is stopped in a call on another cache. */
Test(limbo_race, a_barrier_waits_for_calls_on_its_cache_only, .timeout = 10)
{
	struct bma__engine *e, *other;
	struct bma__slot *s;

	other = engine_of_guests();
	e = engine_of_guests();
	bma__limbo_free(e, bma__slot_alloc(e), true);
	bma__limbo_free(other, bma__slot_alloc(other), true);
	s = bma__slot_at(other, bma__plane_home());
	cr_assert_neq(s->limbo, 0);
	s->owner = 1;
	cr_assert_eq(bma__reclaim_barrier(e), 0);
	cr_assert_eq(bma__limbo_count(e) + bma__count_read(&e->limbo), 0);
	cr_assert_eq(bma__limbo_count(other), 1);
}

/* As the fork handler does, with threads in the middle of everything. */
Test(limbo_race, a_child_of_fork_counts_anew)
{
	enum { N = 4 * CAPACITY + 2 };
	struct bma__engine *e = engine_and_handle();
	struct bma__flavor *f = e->flavor;
	uint64_t away;
	void *p[N];

	cr_assert_eq(bma_cache_alloc_bulk(&handle, p, N, BMA_SLEEP), N);
	for (int i = 0; i < 2 * CAPACITY + 1; i++)
		bma__limbo_free(e, p[i], true);
	/* These were being waited for; it is in the middle of a count; somebody announced. */
	e->waiting = bma__stack_take_all(&e->sealed);
	cr_assert_neq(e->waiting, 0);
	for (int i = 2 * CAPACITY + 1; i < N; i++)
		bma__limbo_free(e, p[i], true);
	for (uint32_t w = 0; w < BMA__NEED_WORDS; w++)
		f->sealed.word[w] = f->filling.word[w] = 0;
	bma__count_raise(&e->limbo, 77);
	bma__count_raise(&e->limbo_slots, 7);
	bma__count_anew(&f->mags, 0, 0);
	bma__count_anew(&f->limbo_bytes, 0, 0);
	bma__limbo_recount(e);
	bma__defer_recount(e);
	cr_assert_eq(bma__count_read(&e->limbo_slots), 1);
	cr_assert_eq(bma__limbo_count(e), 2);
	cr_assert_eq(bma__count_read(&e->limbo), N - 2);
	cr_assert_eq(bma__count_read(&f->limbo_bytes), (N - 2) * e->geo.stride);
	cr_assert_eq(bma__count_read(&f->mags), 4);
	cr_assert_eq(e->waiting, 0);
	cr_assert(bma__need_any(&f->filling));
	cr_assert(bma__need_any(&f->sealed));
	cr_assert_eq(bma__reclaim_barrier(e), 0);
	cr_assert_eq(bma__count_read(&e->limbo), 0);
	cr_assert_eq(bma__reclaim_engine(e, &away), 0);
	cr_assert_eq(away, 0);
}
