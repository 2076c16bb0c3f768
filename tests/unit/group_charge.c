/* SPDX-License-Identifier: MIT */
/* Charges: what they add, what refuses them, that nothing of a refused one is left. */
#include "group.h"

#include <pthread.h>
#include <stdlib.h>

#define LEVELS 9

static int wakes;

static void woken(void)
{
	wakes++;
}

/* A chain from the root; way[0] is the root. */
static void chain(struct bma_group **way, uint64_t max)
{
	way[0] = bma_group_root();
	for (int i = 1; i < LEVELS; i++)
		way[i] = make_limited(way[i - 1], NULL, max);
}

Test(group_charge, counts_in_all_above)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b"), *c = make(a, "c");

	cr_assert_eq(charge(b, 10), 0);
	cr_assert_eq(charge(c, 5), 0);
	cr_assert_eq(charge(a, 1), 0);
	cr_assert_eq(stat_of(b).current, 10);
	cr_assert_eq(stat_of(c).current, 5);
	cr_assert_eq(stat_of(a).current, 16);
	cr_assert_eq(stat_of(a).own, 1);
	cr_assert_eq(stat_of(b).own, 10);
	cr_assert_eq(stat_of(bma_group_root()).current, 16);
	cr_assert_eq(stat_of(bma_group_root()).own, 0);
	uncharge(b, 4);
	cr_assert_eq(stat_of(b).current, 6);
	cr_assert_eq(stat_of(a).current, 12);
	cr_assert_eq(stat_of(bma_group_root()).current, 12);
}

Test(group_charge, peaks)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b");

	charge(b, 10);
	uncharge(b, 6);
	charge(a, 2);
	cr_assert_eq(stat_of(b).peak, 10);
	cr_assert_eq(stat_of(a).peak, 10);
	cr_assert_eq(bma_group_reset_peak(a), 0);
	cr_assert_eq(stat_of(a).peak, 6);
	cr_assert_eq(stat_of(b).peak, 10);
	charge(b, 7);
	cr_assert_eq(stat_of(b).peak, 11);
	cr_assert_eq(stat_of(a).peak, 13);
}

/* Each level refuses once; nothing is left below, not a peak either. */
Test(group_charge, a_refused_one_leaves_all_as_it_was)
{
	struct bma_group *way[LEVELS];
	struct bma_group_stats before[LEVELS];

	chain(way, 0);
	cr_assert_eq(charge(way[LEVELS - 1], 1000), 0);
	for (int at = 0; at < LEVELS; at++) {
		struct bma__group *refused = NULL;

		bma_group_set(way[at], BMA_GROUP_MAX, 1099);
		for (int i = 0; i < LEVELS; i++)
			before[i] = stat_of(way[i]);
		cr_assert_eq(bma__group_charge(in(way[LEVELS - 1]), 100, &refused), -EDQUOT);
		cr_assert_eq(refused, in(way[at]));
		for (int i = 0; i < LEVELS; i++) {
			struct bma_group_stats s = stat_of(way[i]);

			/* The event of the one that refused is all that is new. */
			before[i].events[BMA_GROUP_EVENT_MAX] += i <= at;
			before[i].events_local[BMA_GROUP_EVENT_MAX] += i == at;
			cr_assert_eq(memcmp(&s, &before[i], sizeof s), 0, "at %d level %d", at, i);
		}
		cr_assert_eq(charge(way[LEVELS - 1], 99), 0, "what fits is taken");
		uncharge(way[LEVELS - 1], 99);
		for (int i = 0; i < LEVELS; i++)
			bma_group_reset_peak(way[i]);
		bma_group_set(way[at], BMA_GROUP_MAX, BMA_GROUP_NO_LIMIT);
	}
}

Test(group_charge, sums_do_not_wrap)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b");

	cr_assert_eq(charge(a, 2), 0);
	cr_assert_eq(charge(b, UINT64_MAX), -EDQUOT);
	cr_assert_eq(charge(b, UINT64_MAX - 1), -EDQUOT);
	cr_assert_eq(stat_of(a).current, 2);
	cr_assert_eq(stat_of(b).current, 0);
	cr_assert_eq(charge(b, UINT64_MAX - 2), 0);
	cr_assert_eq(stat_of(bma_group_root()).current, UINT64_MAX);
	cr_assert_eq(charge(b, 1), -EDQUOT);
	uncharge(b, UINT64_MAX - 2);
	bma_group_set(b, BMA_GROUP_MAX, 100);
	cr_assert_eq(charge(b, UINT64_MAX), -EDQUOT);
	cr_assert_eq(charge(b, 101), -EDQUOT);
	cr_assert_eq(charge(b, 100), 0);
	cr_assert_eq(stat_of(b).current, 100);
}

Test(group_charge, events)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b"), *c = make(b, "c");
	struct bma_group_stats s;

	bma_group_set(b, BMA_GROUP_MAX, 100);
	bma_group_set(c, BMA_GROUP_HIGH, 50);
	bma_group_set(a, BMA_GROUP_HIGH, 50);
	cr_assert_eq(charge(c, 50), 0);
	cr_assert_eq(stat_of(c).events[BMA_GROUP_EVENT_HIGH], 0, "at high is not above");
	cr_assert_eq(charge(c, 1), 0);
	cr_assert_eq(charge(c, 50), -EDQUOT);
	s = stat_of(c);
	cr_assert_eq(s.events_local[BMA_GROUP_EVENT_HIGH], 1);
	cr_assert_eq(s.events[BMA_GROUP_EVENT_HIGH], 1);
	cr_assert_eq(s.events[BMA_GROUP_EVENT_MAX], 0);
	s = stat_of(b);
	cr_assert_eq(s.events_local[BMA_GROUP_EVENT_HIGH], 0);
	cr_assert_eq(s.events[BMA_GROUP_EVENT_HIGH], 1);
	cr_assert_eq(s.events_local[BMA_GROUP_EVENT_MAX], 1);
	s = stat_of(a);
	cr_assert_eq(s.events_local[BMA_GROUP_EVENT_HIGH], 1);
	cr_assert_eq(s.events[BMA_GROUP_EVENT_HIGH], 2);
	cr_assert_eq(s.events_local[BMA_GROUP_EVENT_MAX], 0);
	cr_assert_eq(s.events[BMA_GROUP_EVENT_MAX], 1);
	bma__group_fail(in(c), BMA_GROUP_FAIL_MOVING);
	s = stat_of(c);
	cr_assert_eq(s.fails[BMA_GROUP_FAIL_MOVING], 1);
	cr_assert_eq(stat_of(b).fails[BMA_GROUP_FAIL_MOVING], 0);
}

Test(group_charge, work_is_asked_for_and_taken_once)
{
	struct bma_group *a = make_limited(NULL, "a", 100), *b = make(a, "b"), *taken[2];
	uint32_t work;

	bma__group_wake = woken;
	cr_assert_null(bma__group_take_work(&work));
	charge(b, 200);
	cr_assert_eq(wakes, 1);
	charge(b, 200);
	cr_assert_eq(wakes, 1, "it is asked for already");
	cr_assert_eq(bma__group_take_work(&work), a);
	cr_assert_eq(work, BMA__GROUP_WORK_RECLAIM);
	cr_assert_null(bma__group_take_work(&work));
	charge(b, 200);
	cr_assert_eq(wakes, 2);
	bma__group_want(in(b), BMA__GROUP_WORK_NOTIFY);
	bma__group_want(in(b), BMA__GROUP_WORK_RECLAIM);
	taken[0] = bma__group_take_work(&work);
	taken[1] = bma__group_take_work(&work);
	cr_assert_eq(taken[0], a);
	cr_assert_eq(taken[1], b);
	cr_assert_eq(work, BMA__GROUP_WORK_NOTIFY | BMA__GROUP_WORK_RECLAIM);
	/* Of one that is gone; and who stands there now has none. */
	bma__group_want(in(b), BMA__GROUP_WORK_NOTIFY);
	take_away(b);
	cr_assert_null(bma__group_take_work(&work));
	b = make(a, "b");
	bma__group_want(in(b), BMA__GROUP_WORK_NOTIFY);
	take_away(b);
	b = make(a, "b");
	cr_assert_null(bma__group_take_work(&work));
}

Test(group_charge, work_of_all_places)
{
	enum { MANY = 3000 };
	static struct bma_group *g[MANY];
	uint32_t work;
	int n = 0;

	for (int i = 0; i < MANY; i++)
		g[i] = make(NULL, NULL);
	for (int i = 0; i < MANY; i += 7)
		bma__group_want(in(g[i]), BMA__GROUP_WORK_NOTIFY);
	for (struct bma_group *t; (t = bma__group_take_work(&work)); n++)
		cr_assert_eq(t, g[n * 7]);
	cr_assert_eq(n, (MANY + 6) / 7);
}

Test(group_charge, a_limit_below_what_is_charged)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b");
	uint32_t work;

	charge(b, 100);
	cr_assert_eq(bma_group_set(a, BMA_GROUP_MAX, 100), 0);
	cr_assert_null(bma__group_take_work(&work));
	cr_assert_eq(bma_group_set(a, BMA_GROUP_MAX, 99), 0);
	cr_assert_eq(bma__group_take_work(&work), a);
	cr_assert_eq(work, BMA__GROUP_WORK_RECLAIM);
	cr_assert_eq(stat_of(a).current, 100);
	uncharge(b, 1);
	cr_assert_eq(charge(b, 1), -EDQUOT);
	bma__group_take_work(&work);
	uncharge(b, 1);
	cr_assert_eq(charge(b, 1), 0);
	cr_assert_eq(bma_group_set(b, BMA_GROUP_HIGH, 98), 0);
	cr_assert_eq(bma__group_take_work(&work), b);
	cr_assert_eq(bma_group_set(b, BMA_GROUP_LOW, 0), 0);
	cr_assert_null(bma__group_take_work(&work));
}

Test(group_charge, room_and_the_tightest)
{
	struct bma_group *a = make_limited(NULL, "a", 100), *b = make_limited(a, "b", 1000);
	struct bma_group *c = make(b, "c"), *d = make_limited(a, "d", 40);

	cr_assert_eq(bma__group_room(bma__group_root), UINT64_MAX);
	cr_assert_eq(bma__group_tightest(bma__group_root), UINT64_MAX);
	cr_assert_eq(bma__group_tightest(in(c)), 100);
	cr_assert_eq(bma__group_tightest(in(d)), 40);
	charge(c, 70);
	cr_assert_eq(bma__group_room(in(c)), 30);
	cr_assert_eq(bma__group_room(in(d)), 30);
	charge(d, 25);
	cr_assert_eq(bma__group_room(in(d)), 5);
	bma_group_set(a, BMA_GROUP_MAX, 10);
	cr_assert_eq(bma__group_room(in(d)), 0);
}

Test(group_charge, above_high)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b");

	bma_group_set(a, BMA_GROUP_HIGH, 1000);
	bma_group_set(b, BMA_GROUP_HIGH, 100);
	charge(b, 100);
	cr_assert_null(bma__group_over_high(in(b)));
	cr_assert_eq(bma__group_penalty(in(b)), 0);
	charge(b, 10);
	cr_assert_eq(bma__group_over_high(in(b)), in(b));
	cr_assert_null(bma__group_over_high(in(a)));
	cr_assert_geq(bma__group_penalty(in(b)), 9999000);
	cr_assert_leq(bma__group_penalty(in(b)), 10001000);
	charge(a, 2000);
	cr_assert_eq(bma__group_over_high(in(b)), in(a), "the one that is further above");
	cr_assert_eq(bma__group_penalty(in(a)), 100000000);
	bma_group_set(b, BMA_GROUP_HIGH, 0);
	cr_assert_eq(bma__group_over_high(in(b)), in(b));
	cr_assert_eq(bma__group_penalty(in(b)), 100000000);
	uncharge(a, 2000);
	uncharge(b, 110);
	cr_assert_null(bma__group_over_high(in(b)));
	/* As large as can be. */
	bma_group_set(a, BMA_GROUP_HIGH, UINT64_MAX / 2);
	charge(a, UINT64_MAX / 2 + UINT64_MAX / 8);
	cr_assert_eq(bma__group_over_high(in(a)), in(a));
	cr_assert_geq(bma__group_penalty(in(a)), 24999000);
	cr_assert_leq(bma__group_penalty(in(a)), 25001000);
}

Test(group_charge, moving)
{
	struct bma_group *top = make_limited(NULL, "top", 100), *a = make(top, "a"),
			 *b = make(top, "b"), *deep = make_limited(b, "deep", 50);

	charge(a, 100);
	cr_assert_eq(move(a, deep, 51), -EDQUOT);
	cr_assert_eq(stat_of(a).current, 100);
	cr_assert_eq(stat_of(b).current, 0);
	cr_assert_eq(stat_of(b).peak, 0);
	cr_assert_eq(stat_of(deep).events_local[BMA_GROUP_EVENT_MAX], 1);
	/* Where both are below it a full group is no obstacle, and does not see it. */
	cr_assert_eq(move(a, deep, 50), 0);
	cr_assert_eq(stat_of(a).current, 50);
	cr_assert_eq(stat_of(deep).current, 50);
	cr_assert_eq(stat_of(b).current, 50);
	cr_assert_eq(stat_of(top).current, 100);
	cr_assert_eq(stat_of(top).peak, 100);
	/* To a parent, to a child, to itself. */
	cr_assert_eq(move(deep, top, 20), 0);
	cr_assert_eq(stat_of(deep).current, 30);
	cr_assert_eq(stat_of(b).current, 30);
	cr_assert_eq(stat_of(top).current, 100);
	cr_assert_eq(stat_of(top).own, 20);
	cr_assert_eq(move(top, deep, 20), 0);
	cr_assert_eq(stat_of(deep).current, 50);
	cr_assert_eq(move(deep, deep, 50), 0);
	cr_assert_eq(stat_of(deep).current, 50);
	cr_assert_eq(stat_of(deep).events_local[BMA_GROUP_EVENT_MAX], 1);
}

static uint64_t depth_bytes(const struct bma__group *g)
{
	return g->depth * 10;
}

Test(group_charge, recount)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b"), *c = make(a, "c");

	charge(b, 12345);
	bma__lock_take(&bma__group_lock);
	bma__group_recount(depth_bytes);
	bma__lock_drop(&bma__group_lock);
	cr_assert_eq(stat_of(b).current, 20);
	cr_assert_eq(stat_of(c).current, 20);
	cr_assert_eq(stat_of(a).current, 50);
	cr_assert_eq(stat_of(bma_group_root()).current, 50);
}

Test(group_charge, below)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b"), *c = make(NULL, "c");

	cr_assert(bma__group_below(in(b), in(a)));
	cr_assert(bma__group_below(in(b), in(b)));
	cr_assert(bma__group_below(in(b), bma__group_root));
	cr_assert_not(bma__group_below(in(a), in(b)));
	cr_assert_not(bma__group_below(in(c), in(a)));
}
