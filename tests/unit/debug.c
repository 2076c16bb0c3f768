/* SPDX-License-Identifier: MIT */
/* Modes that look at each call, where nothing is wrong: what they do to objects, and that they lose none. */
#include "reader.h"

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALL                                                                                        \
	(BMA_CACHE_DEBUG | BMA_CACHE_REDZONE | BMA_CACHE_POISON | BMA_CACHE_TRACK |                \
	 BMA_CACHE_QUARANTINE | BMA_CACHE_RANDOM)

static struct bma_cache *cache_of(size_t size, uint64_t flags)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = size, .flags = flags};
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 0);
	c = bma_cache_create(&a);
	cr_assert_not_null(c);
	return c;
}

static bool all(const void *obj, size_t n, unsigned char value)
{
	const unsigned char *p = obj;

	for (size_t i = 0; i < n; i++) {
		if (p[i] != value)
			return false;
	}
	return true;
}

Test(debug, what_was_freed_is_zero)
{
	struct bma_cache *c = cache_of(48, BMA_CACHE_ZERO_FREE);
	void *obj = bma_cache_alloc_flags(c, BMA_SLEEP);

	memset(obj, 7, 48);
	bma_cache_free(c, obj);
	cr_assert(all(obj, 48, 0));
	/* Without poison nobody looks. */
	memset(obj, 7, 48);
	cr_assert_not_null(bma_cache_alloc(c));
}

Test(debug, a_deferred_free_fills_after_the_grace_period)
{
	struct bma_cache *c = cache_of(64, BMA_CACHE_POISON);
	void *obj = bma_cache_alloc_flags(c, BMA_SLEEP);
	struct reader r;

	memset(obj, 7, 64);
	reader_enter(&r, &urcu_memb_flavor);
	bma_cache_free_rcu(c, obj);
	bma_poll(0);
	cr_assert(all(obj, 64, 7));
	reader_leave(&r);
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert(all(obj, 64, 0x6b));
}

/* Parked objects go through a grace period, too, and are filled twice. */
Test(debug, every_way_an_object_takes_keeps_its_filling)
{
	struct bma_cache *c = cache_of(64, ALL);
	static void *p[3000];

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3000; i++) {
			p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
			memset(p[i], round, 64);
		}
		for (int i = 0; i < 3000; i++) {
			if (i % 3)
				bma_cache_free(c, p[i]);
			else
				bma_cache_free_rcu(c, p[i]);
		}
		cr_assert_eq(bma_rcu_barrier(c), 0);
		if (round % 2)
			cr_assert_eq(bma_trim(), 0);
	}
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(debug, quarantine_puts_off_and_loses_nothing)
{
	struct bma_cache *c = cache_of(64, BMA_CACHE_QUARANTINE);
	struct bma_cache_stats s;
	void *obj = bma_cache_alloc_flags(c, BMA_SLEEP), *other;

	bma_cache_free(c, obj);
	for (int i = 0; i < 511; i++) {
		other = bma_cache_alloc_flags(c, BMA_SLEEP);
		cr_assert_neq(other, obj);
		bma_cache_free(c, other);
	}
	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	cr_assert_eq(s.live, 0);
	cr_assert_geq(s.cached, 512);
	/* The next free lets it go. */
	bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	cr_assert_eq(bma_cache_alloc(c), obj);
	bma_cache_free(c, obj);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(debug, a_live_object_is_still_counted)
{
	struct bma_cache *c = cache_of(64, ALL);
	void *obj = bma_cache_alloc_flags(c, BMA_SLEEP);

	for (int i = 0; i < 100; i++)
		bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
	bma_cache_free(c, obj);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* How often the next object is at a higher address. */
static int rising(uint64_t flags)
{
	struct bma_cache *c = cache_of(64, flags);
	char *last = bma_cache_alloc_flags(c, BMA_SLEEP), *next;
	int up = 0;

	for (int i = 0; i < 200; i++, last = next) {
		next = bma_cache_alloc_flags(c, BMA_SLEEP);
		up += next > last;
	}
	return up;
}

Test(debug, random_order_is_none)
{
	cr_assert_eq(rising(0), 200);
	cr_assert_lt(rising(BMA_CACHE_RANDOM), 150);
	cr_assert_gt(rising(BMA_CACHE_RANDOM), 50);
}

Test(debug, redzones_change_neither_size_nor_alignment)
{
	static const size_t sizes[] = {1, 8, 13, 64, 500, 4096, 100000};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct bma_cache_attr a = {.attr_size = sizeof a,
					   .size = sizes[i],
					   .align = 64,
					   .flags = BMA_CACHE_REDZONE};
		struct bma_cache *c = bma_cache_create(&a);
		char *p = bma_cache_alloc_flags(c, BMA_SLEEP);
		char *q = bma_cache_alloc_flags(c, BMA_SLEEP);

		cr_assert_eq(bma_cache_size(c), sizes[i]);
		cr_assert_eq((uintptr_t)p % 64, 0);
		cr_assert_geq((size_t)(p < q ? q - p : p - q), sizes[i] + 16);
		memset(p, 1, sizes[i]);
		bma_cache_free(c, p);
		bma_cache_free(c, q);
		cr_assert_eq(bma_cache_destroy(c), 0);
	}
}

Test(debug, guard_pages_are_there_and_lose_nothing)
{
	static const size_t sizes[] = {1, 64, 100, 4096, 5000, 100000};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct bma_cache *c = cache_of(sizes[i], BMA_CACHE_GUARD | BMA_CACHE_POISON);
		void *p[100];

		for (int round = 0; round < 3; round++) {
			for (int j = 0; j < 100; j++) {
				p[j] = bma_cache_alloc_flags(c, BMA_SLEEP);
				/* Up to its alignment it ends with a page. */
				cr_assert_lt(-((uintptr_t)p[j] + sizes[i]) % 4096, 16);
				memset(p[j], j, sizes[i]);
			}
			for (int j = 0; j < 100; j++) {
				if (j % 2)
					bma_cache_free(c, p[j]);
				else
					bma_cache_free_rcu(c, p[j]);
			}
			cr_assert_eq(bma_rcu_barrier(c), 0);
			cr_assert_eq(bma_trim(), 0);
		}
		cr_assert_eq(bma_cache_destroy(c), 0);
	}
}

static int constructed;

static void construct(void *obj, void *ctx)
{
	(void)ctx;
	constructed++;
	memset(obj, 3, 64);
}

/* What BMA_CONF asks for is taken as far as a cache can have it. */
Test(debug, conf_leaves_constructed_objects_alone)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64, .ctor = construct};
	struct bma_cache *c;
	void *obj;

	setenv("BMA_CONF", "worker:off,debug:all", 1);
	c = bma_cache_create(&a);
	cr_assert_not_null(c);
	obj = bma_cache_alloc_flags(c, BMA_SLEEP);
	bma_cache_free(c, obj);
	cr_assert(all(obj, 64, 3));
	cr_assert_gt(constructed, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}
