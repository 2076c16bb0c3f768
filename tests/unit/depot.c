/* SPDX-License-Identifier: MIT */
/* In which order full magazines leave the depot, and how many are to be there. */
#include "fault.h"

enum { BATCH = 6, NEAR = 4 };

static struct bma__engine *e;
static struct bma__depot *d;

/* An engine whose depot is empty. */
static void start(void)
{
	uintptr_t word;

	e = engine(64, BATCH);
	d = &e->depot[0];
	while ((word = bma__depot_remove(e, d)))
		bma__drain_magazine(e, BMA__NODE_ANY, word);
}

static uintptr_t full(void)
{
	uintptr_t word = bma__refill_magazine(e, 0);

	cr_assert_neq(word, 0);
	return word;
}

/* As if the slot of another CPU had freed @n magazines that a grace period now lets go. */
static void put_by_other(uintptr_t *words, uint32_t n)
{
	struct bma__depot_batch batch = {.n = 0};

	for (uint32_t i = 0; i < n; i++) {
		words[i] = full();
		*bma__mag_plane(bma__mag_base(e->class, words[i])) = bma__plane_home() + 1;
		bma__depot_gather(e, &batch, words[i]);
	}
	bma__depot_return(e, d, &batch);
}

Test(depot, what_a_slot_put_comes_back_to_it_before_the_stock)
{
	uintptr_t stock[2], mine[2];

	start();
	for (int i = 0; i < 2; i++)
		bma__depot_add(e, d, stock[i] = full());
	for (int i = 0; i < 2; i++)
		bma__depot_put(e, mine[i] = full());
	cr_assert_eq(bma__depot_depth(d), 4);
	cr_assert_eq(bma__depot_get(e, false), mine[1]);
	cr_assert_eq(bma__depot_get(e, false), mine[0]);
	cr_assert_eq(bma__depot_get(e, false), stock[0]);
	cr_assert_eq(bma__depot_get(e, false), stock[1]);
	cr_assert_eq(bma__depot_get(e, false), 0);
}

Test(depot, only_a_few_wait_for_their_slot)
{
	uintptr_t put[NEAR + 3];

	start();
	for (int i = 0; i < NEAR + 3; i++)
		bma__depot_put(e, put[i] = full());
	for (int i = NEAR - 1; i >= 0; i--)
		cr_assert_eq(bma__depot_get(e, false), put[i]);
	for (int i = NEAR; i < NEAR + 3; i++)
		cr_assert_eq(bma__depot_get(e, false), put[i]);
	/* There is room for the next. */
	bma__depot_add(e, d, put[0]);
	bma__depot_put(e, put[1]);
	cr_assert_eq(bma__depot_get(e, false), put[1]);
}

Test(depot, what_comes_back_from_a_grace_period_is_for_all_before_the_stock)
{
	uintptr_t stock, others[3];

	start();
	bma__depot_add(e, d, stock = full());
	put_by_other(others, 3);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(bma__depot_get(e, false), others[i]);
	cr_assert_eq(bma__depot_get(e, false), stock);
	cr_assert_eq(bma__depot_get(e, false), 0);
}

Test(depot, what_another_slot_put_comes_after_the_stock)
{
	uintptr_t stock, near;
	uint32_t other;

	start();
	other = (bma__plane_home() + 1) % BMA__DEPOT_LOCAL;
	bma__depot_put(e, near = full());
	cr_assert_eq(bma__depot_remove(e, d), near);
	/* As if it had been put there. */
	bma__count_raise(&d->puts, 1);
	atomic_fetch_add(&d->local[other].n, 1);
	bma__stack_push(&d->local[other].near, e->class, near);
	bma__depot_add(e, d, stock = full());
	cr_assert_eq(bma__depot_get(e, false), stock);
	cr_assert_eq(bma__depot_get(e, false), near);
	cr_assert_eq(bma__depot_get(e, false), 0);
}

Test(depot, a_recount_counts_what_waits_for_slots)
{
	uintptr_t put[3];

	start();
	for (int i = 0; i < 3; i++)
		bma__depot_put(e, put[i] = full());
	/* As threads leave it that were stopped between count and push. */
	for (uint32_t i = 0; i < BMA__DEPOT_LOCAL; i++)
		atomic_fetch_add(&d->local[i].n, 5);
	bma__count_raise(&d->puts, 5);
	bma__depot_recount(e, d);
	cr_assert_eq(bma__depot_depth(d), 3);
	for (uint32_t i = 0, n = 0; i < BMA__DEPOT_LOCAL; i++) {
		n += atomic_load(&d->local[i].n);
		cr_assert(i < BMA__DEPOT_LOCAL - 1 || n == 3);
	}
	for (int i = 2; i >= 0; i--)
		cr_assert_eq(bma__depot_get(e, false), put[i]);
}

static uint32_t target(void)
{
	bma__engine_set_marks(e);
	return atomic_load(&e->target_mags);
}

Test(depot, the_stock_grows_with_what_is_in_use)
{
	uint32_t most, before;
	void *obj;

	start();
	most = 4 * e->tape;
	cr_assert_eq(target(), 2);
	for (uint32_t i = 0; i < 3 * BATCH; i++)
		cr_assert_eq(bma__engine_carve(e, 0, &obj, 1), 1);
	before = target();
	cr_assert_eq(before, 3);
	/* What stands in the depot is not in use. */
	bma__depot_add(e, d, full());
	cr_assert_eq(target(), before);
	for (uint32_t i = 0; i < 100 * BATCH; i++)
		cr_assert_eq(bma__engine_carve(e, 0, &obj, 1), 1);
	cr_assert_eq(target(), most);
}

Test(depot, the_stock_is_deep_where_objects_are_freed_elsewhere)
{
	uintptr_t others[20];

	start();
	put_by_other(others, 15);
	for (int i = 0; i < 15; i++)
		cr_assert_neq(bma__depot_get(e, false), 0);
	cr_assert(!atomic_load(&e->hands_over));
	/* A slot's own do not count. */
	for (int i = 0; i < 20; i++) {
		bma__depot_put(e, others[0]);
		cr_assert_eq(bma__depot_get(e, false), others[0]);
	}
	cr_assert(!atomic_load(&e->hands_over));
	put_by_other(others + 15, 1);
	cr_assert_neq(bma__depot_get(e, false), 0);
	cr_assert(atomic_load(&e->hands_over));
	/* Nothing is in use any more. */
	for (int i = 0; i < 16; i++)
		bma__drain_magazine(e, BMA__NODE_ANY, others[i]);
	cr_assert_eq(target(), 4 * e->tape);
}

/* As after a fork by a handler in the middle of a put; or while another thread is stopped there. */
Test(depot, what_is_counted_and_not_there_is_not_waited_for, .timeout = 20)
{
	uintptr_t word;

	start();
	bma__count_raise(&d->puts, 1);
	cr_assert_eq(bma__depot_get(e, false), 0);
	bma__depot_put(e, word = full());
	cr_assert_eq(bma__depot_get(e, false), word);
	cr_assert_eq(bma__depot_get(e, false), 0);
	cr_assert_eq(bma__depot_depth(d), 1);
}
