/* SPDX-License-Identifier: MIT */
/*
 * What may happen in the middle of a call, at places that a race would have to hit: in a hook of the fence, and
 * in the handler of a fault on a page that the call is about to use.
 */
#include "fault.h"

static int drain(struct bma__engine *e, struct bma__mag_stack *out)
{
	int rc;

	bma__lock_take(&bma__drain_lock);
	rc = bma__drain_slots(e, NULL, out);
	bma__lock_drop(&bma__drain_lock);
	return rc;
}

static void send_home(struct bma__engine *e, struct bma__mag_stack *out)
{
	uintptr_t word;

	while ((word = bma__stack_pop(out, e->class))) {
		if (bma__mag_count(e->class, word))
			bma__drain_magazine(e, BMA__NODE_ANY, word);
		else
			bma__mag_release(e->class, word);
	}
}

static struct bma__slot *watched;
static uintptr_t word_before, seen_loaded[4], late_store;
static uint32_t seen_freeze[4];
static int fences;

static int watching_fence(int cmd)
{
	if (fences < 4) {
		seen_loaded[fences] = atomic_load(&watched->loaded);
		seen_freeze[fences] = atomic_load(&watched->freeze);
	}
	/* A hot call that had read the old word commits after the exchange, before the fence. */
	if (++fences == 2 && late_store)
		atomic_store(&watched->loaded, late_store);
	return bma__os_real.membarrier(cmd);
}

static struct bma__engine *watch(void)
{
	struct bma__engine *e = engine(64, 30);

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return NULL;
	fill_slot(e, 10);
	watched = bma__slot_at(e, bma__plane_next(e, 0));
	word_before = atomic_load(&watched->loaded);
	cr_assert_geq(bma__mag_count(e->class, word_before), 2);
	bma__os.membarrier = watching_fence;
	return e;
}

Test(between, a_drain_freezes_fences_exchanges_fences)
{
	struct bma__engine *e = watch();
	struct bma__mag_stack out = {0};
	uint32_t gen;

	if (!e)
		return;
	gen = atomic_load(&watched->gen);
	cr_assert_eq(drain(e, &out), 0);
	cr_assert_eq(fences, 2);
	cr_assert_eq(seen_freeze[0], 1);
	cr_assert_eq(seen_loaded[0], word_before, "taken before the first fence");
	cr_assert_eq(seen_freeze[1], 1);
	cr_assert_eq(seen_loaded[1], 0);
	cr_assert_neq(atomic_load(&watched->gen), gen, "an older change would still commit");
	cr_assert_eq(atomic_load(&watched->freeze), 0);
	send_home(e, &out);
}

Test(between, a_store_after_the_exchange_wins)
{
	struct bma__engine *e = watch();
	struct bma__mag_stack out = {0};
	uint64_t away;
	void *popped;

	if (!e)
		return;
	popped = *(void **)word_before;
	late_store = word_before - 8;
	cr_assert_eq(drain(e, &out), 0);
	cr_assert_eq(fences, 3, "tried again");
	cr_assert_eq(atomic_load(&watched->loaded), 0);
	send_home(e, &out);
	cr_assert_eq(bma__reclaim_drain(e, 0, &away), 0);
	cr_assert_eq(away, 1, "the object that was popped is out, and nothing else");
	bma__slot_free(e, popped);
	cr_assert_eq(bma__reclaim_engine(e, &away), 0);
	cr_assert_eq(away, 0);
}

static struct bma__engine *ticketed;
static bool all_closed;

static void look_at_tickets(void)
{
	all_closed = bma__ticket_wait(ticketed, 0);
}

/* One magazine in the depot, on a page that nobody needs meanwhile: a segment's first holds its number. */
static uintptr_t only_magazine(struct bma__engine *e)
{
	uintptr_t word;

	while (bma__depot_get(e, false))
		;
	do
		word = bma__refill_magazine(e, 0);
	while (word % BMA__MAG_SEGMENT_SIZE < BMA_PAGE);
	bma__depot_put(e, word);
	return word & ~(BMA_PAGE - 1);
}

/* The call writes a link of the magazine that it has just taken from the depot. */
Test(between, a_magazine_in_hand_is_under_a_ticket)
{
	struct bma__engine *e = engine(64, 126);

	ticketed = e;
	arm_fault((void *)only_magazine(e), BMA_PAGE, PROT_NONE, look_at_tickets);
	cr_assert_not_null(bma__slot_alloc(e));
	cr_assert_eq(faults, 1);
	cr_assert(!all_closed);
}

static uintptr_t early;

static void take_fresh(void)
{
	early = bma__mag_new(4);
}

static int no_unmap(void *addr, size_t bytes)
{
	(void)addr, (void)bytes;
	return 0;
}

/* bma__os_map_aligned() cuts what it maps: here it gets an aligned piece at the first try. */
static void *map_aligned(size_t bytes)
{
	uintptr_t p = (uintptr_t)bma__os_real.map(bytes + BMA__MAG_SEGMENT_SIZE);

	p = bma__align_up(p, BMA__MAG_SEGMENT_SIZE);
	arm_fault((void *)p, BMA_PAGE, PROT_NONE, take_fresh);
	return (void *)p;
}

Test(between, nobody_sees_a_segment_before_it_is_ready)
{
	uintptr_t word;

	bma__os.map = map_aligned;
	bma__os.unmap = no_unmap;
	cr_assert_eq(bma__mag_promise(4, 1), 0);
	cr_assert_eq(faults, 1);
	cr_assert_eq(early, 0, "a magazine of a segment that has no number yet");
	word = bma__mag_new(4);
	cr_assert_neq(word, 0);
	cr_assert_eq(bma__mag_at(4, bma__mag_index(4, word)), bma__mag_base(4, word));
}

static struct bma_reserve *reserve;
static size_t first_behind; /* entries from here on lie behind the fault */

static void refill_and_take(void)
{
	cr_assert_eq(bma__reserve_fill(reserve), 0);
	atomic_store(&reserve->cursor, first_behind);
	for (size_t i = first_behind; i < reserve->n; i++)
		cr_assert_not_null(bma__reserve_take(reserve));
	cr_assert_null(atomic_load(&reserve->entry[first_behind]));
}

/* Fewer than n were taken since the last complete refill, so there is one for who was on its way meanwhile. */
Test(between, a_refill_behind_a_takers_back_is_seen)
{
	enum { N = 3 * 4096 / sizeof(void *) };
	struct bma__engine *e = engine(64, 30);
	uintptr_t page;

	reserve = bma__reserve_create(bma__engine_handle(e), N, &(int){0});
	cr_assert_not_null(reserve);
	for (int i = 0; i < N; i++)
		cr_assert_not_null(bma__reserve_take(reserve));
	atomic_store(&reserve->cursor, 0);
	page = bma__align_up((uintptr_t)&reserve->entry[1], BMA_PAGE);
	first_behind = (page - (uintptr_t)&reserve->entry[0]) / sizeof(void *);
	arm_fault((void *)page, BMA_PAGE, PROT_NONE, refill_and_take);
	cr_assert_not_null(bma__reserve_take(reserve));
	cr_assert_eq(faults, 1);
}

static void *taken_between;

static void take_between(void)
{
	taken_between = bma__reserve_take(reserve);
}

/* The exchange faults, and the handler takes from the same entry. */
Test(between, two_takers_of_one_entry_get_two_objects)
{
	struct bma__engine *e = engine(64, 30);
	void *obj;

	reserve = bma__reserve_create(bma__engine_handle(e), 3 * 4096 / sizeof(void *), &(int){0});
	cr_assert_not_null(reserve);
	atomic_store(&reserve->cursor, 0);
	arm_fault(reserve, BMA_PAGE, PROT_READ, take_between);
	obj = bma__reserve_take(reserve);
	cr_assert_eq(faults, 1);
	cr_assert_not_null(obj);
	cr_assert_not_null(taken_between);
	cr_assert_neq(obj, taken_between);
}
