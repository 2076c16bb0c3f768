/* SPDX-License-Identifier: MIT */
/* Attributes at their ends, and calls that have nothing to do: each cache still works. */
#include "reader.h"

#include <errno.h>

static void works(struct bma_cache *c)
{
	void *objs[40];

	cr_assert_eq(bma_cache_alloc_bulk(c, objs, 40, BMA_SLEEP), 40);
	for (int i = 0; i < 40; i++)
		memset(objs[i], i, bma_cache_size(c));
	bma_cache_free_bulk(c, objs, 40);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(edges, the_kernels_marks_at_every_size)
{
	static const size_t sizes[] = {1, 16, 256, 257, 4096, 8192, 20000, 100000};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct bma_cache_attr a = attr(sizes[i]);

		a.flags = BMA_CACHE_KERNEL_MARKS;
		works(make(&a));
	}
}

Test(edges, as_many_objects_in_a_slot_as_may_be)
{
	struct bma_cache_attr a = attr(8);

	a.batch = 1000;
	a.high = UINT32_MAX / 4;
	works(make(&a));
	a.batch = 2;
	works(make(&a));
	a.size = BMA_CACHE_SIZE_MAX;
	a.high = 0;
	works(make(&a));
}

Test(edges, low_without_reserve_and_with)
{
	struct bma_cache_attr a = attr(64);

	a.low = 100;
	works(make(&a));
	a.reserve = 200;
	works(make(&a));
	a.limbo_max = 1;
	works(make(&a));
}

Test(edges, quarantine_of_small_and_large_objects)
{
	static const size_t sizes[] = {8, 4096, 100000};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct bma_cache_attr a = attr(sizes[i]);

		a.flags = BMA_CACHE_QUARANTINE;
		works(make(&a));
	}
}

Test(edges, statistics_of_nothing)
{
	struct bma_cache *c = create(64);
	struct bma_cache_stats s;

	cr_assert_eq(bma_cache_stats_get(NULL, &s, sizeof s), -EINVAL);
	cr_assert_eq(bma_cache_stats_get(c, NULL, sizeof s), -EINVAL);
	cr_assert_eq(bma_cache_stats_get(c, &s, 0), -EINVAL);
	cr_assert_eq(bma_cache_destroy(NULL), 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(edges, names_that_are_too_long)
{
	struct bma_cache_attr a = attr(64);
	struct bma_cache *c;

	a.name = "a name that is much longer than what there is room for";
	c = make(&a);
	cr_assert_str_eq(stats(c).name, "a name that is much longer than");
	/* So is a message about one. */
	setenv("BMA_CONF", "verbose", 1);
	works(c);
}

/* In any order of making and destroying: identities are found again. */
Test(edges, caches_come_and_go)
{
	struct bma_cache *c[200];

	for (int i = 0; i < 200; i++)
		c[i] = create(16 + (size_t)i);
	for (int i = 0; i < 200; i += 2)
		cr_assert_eq(bma_cache_destroy(c[i]), 0);
	for (int i = 0; i < 200; i += 2)
		c[i] = create(16 + (size_t)i);
	for (int i = 199; i >= 0; i--)
		works(c[i]);
}

Test(edges, nothing_was_made_yet)
{
	cr_assert_eq(bma_trim(), 0);
	cr_assert_geq(bma_poll(0), 0);
	cr_assert_geq(bma_poll(BMA_POLL_GP), 0);
	cr_assert_eq(bma_poll(1u << 31), -EINVAL);
	cr_assert_eq(bma_shutdown(), 0);
	cr_assert_eq(bma_shutdown(), 0);
	works(create(64));
}

/* A tape has 8192 magazines at most, whatever is asked for. */
Test(edges, a_slot_has_a_bound)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 8, .batch = 2, .high = 1u << 20};
	struct bma_cache *c = bma_cache_create(&a);
	struct bma_cache_stats s;

	cr_assert_not_null(c);
	bma_cache_free(c, bma_cache_alloc(c));
	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	cr_assert_eq(s.slot_high, 8192 * s.capacity);
	works(c);
}
