/* SPDX-License-Identifier: MIT */
/* Effective protections, against cases worked out by hand from cgroup v2's rules. */
#include "group.h"

static struct bma_group *protect(struct bma_group *parent, uint64_t usage, uint64_t low,
				 uint64_t min)
{
	struct bma_group_attr a = {.attr_size = sizeof a, .low = low, .min = min};
	struct bma_group *g = bma_group_create(parent, &a);

	cr_assert_not_null(g);
	cr_assert_eq(charge(g, usage), 0);
	return g;
}

static void effective(struct bma_group *top)
{
	bma__lock_take(&bma__group_lock);
	bma__group_protect(in(top));
	bma__lock_drop(&bma__group_lock);
}

#define IS(g, low, min)                                                                            \
	do {                                                                                       \
		cr_assert_eq(in(g)->effective_low, low, "low of " #g ": %llu",                     \
			     (unsigned long long)in(g)->effective_low);                            \
		cr_assert_eq(in(g)->effective_min, min, "min of " #g ": %llu",                     \
			     (unsigned long long)in(g)->effective_min);                            \
	} while (0)

Test(group_protect, right_below_the_top_all_of_it_holds)
{
	struct bma_group *a = protect(NULL, 10, 100, 50), *b = protect(NULL, 1000, 200, 0);

	effective(bma_group_root());
	IS(a, 100, 50);
	IS(b, 200, 0);
	IS(bma_group_root(), 0, 0);
}

Test(group_protect, what_fits_is_the_lesser_of_usage_and_setting)
{
	struct bma_group *p = protect(NULL, 0, 1000, 100), *a = protect(p, 300, 500, 50),
			 *b = protect(p, 400, 100, 0);

	effective(bma_group_root());
	IS(p, 1000, 100);
	IS(a, 300, 50);
	IS(b, 100, 0);
}

/* The example of the kernel's documentation: 2 of the parent, shared 3 : 1 by what is used of the protections. */
Test(group_protect, over_committed_children_share)
{
	struct bma_group *p = protect(NULL, 0, 2048, 200), *a = protect(p, 2048, 3072, 300),
			 *b = protect(p, 2048, 1024, 100), *c = protect(p, 2048, 0, 0),
			 *d = protect(p, 0, 512, 50);

	effective(bma_group_root());
	/* a: min(2048, 3072), b: 1024; in all 3072 */
	IS(a, 2048u * 2048 / 3072, 300u * 200 / 400);
	IS(b, 1024u * 2048 / 3072, 100u * 200 / 400);
	IS(c, 0, 0);
	IS(d, 0, 0);
}

Test(group_protect, shares_are_of_shares)
{
	struct bma_group *p = protect(NULL, 0, 100, 0), *a = protect(p, 0, 150, 0),
			 *b = protect(p, 50, 50, 0), *deep = protect(a, 150, 150, 0);

	effective(bma_group_root());
	IS(a, 75, 0);
	IS(b, 25, 0);
	IS(deep, 75, 0);
}

Test(group_protect, without_the_parents_there_is_none)
{
	struct bma_group *p = protect(NULL, 0, 0, 0), *a = protect(p, 100, 100, 100);

	effective(bma_group_root());
	IS(a, 0, 0);
	/* But against reclaim for the parent it is its own that counts. */
	effective(p);
	IS(p, 0, 0);
	IS(a, 100, 100);
}

Test(group_protect, the_top_has_none_against_itself)
{
	struct bma_group *p = protect(NULL, 0, 10, 10), *a = protect(p, 100, 60, 30),
			 *b = protect(a, 100, 100, 30);

	effective(p);
	IS(p, 0, 0);
	IS(a, 60, 30);
	IS(b, 60, 30);
	effective(bma_group_root());
	IS(p, 10, 10);
	IS(a, 10, 10);
	IS(b, 10, 10);
}

Test(group_protect, large_figures_do_not_wrap)
{
	uint64_t huge = UINT64_MAX / 4;
	struct bma_group *p = protect(NULL, 0, huge, 0), *a = protect(p, huge, UINT64_MAX, 0),
			 *b = protect(p, huge, UINT64_MAX, 0);

	effective(bma_group_root());
	IS(a, huge / 2, 0);
	IS(b, huge / 2, 0);
}

Test(group_protect, statistics_have_them)
{
	struct bma_group *p = protect(NULL, 0, 100, 0), *a = protect(p, 300, 300, 0),
			 *b = protect(p, 100, 100, 0);

	effective(p); /* what another reclaim left behind does not count */
	cr_assert_eq(stat_of(a).effective_low, 75);
	cr_assert_eq(stat_of(b).effective_low, 25);
	cr_assert_eq(stat_of(p).effective_low, 100);
}
