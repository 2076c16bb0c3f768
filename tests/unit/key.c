/* SPDX-License-Identifier: MIT */
/* Light checks, where nothing is wrong: whose bytes they write, and that they take every object for what it is. */
#include "cache/cache.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct bma_cache *cache_of(size_t size, uint64_t flags)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = size, .flags = flags};
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 0);
	c = bma_cache_create(&a);
	cr_assert_not_null(c);
	return c;
}

/* Sizes with and without groups: what the page map and two products say is what the slab says. */
Test(key, every_object_is_one_of_its_cache)
{
	static const size_t sizes[] = {1,   8,	 13,   16,   24,   64,	 100,	104,	192,
				       500, 512, 1000, 1024, 3000, 4096, 10000, 100000, 1 << 20};
	enum { N = 3000 };
	static void *p[N];

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct bma_cache *c = cache_of(sizes[i], BMA_CACHE_KEY);
		int n = sizes[i] > 4096 ? 40 : N;

		for (int round = 0; round < 3; round++) {
			for (int j = 0; j < n; j++) {
				p[j] = bma_cache_alloc_flags(c, j % 2 ? 0 : BMA_SLEEP);
				if (!p[j])
					p[j] = bma_cache_alloc_flags(c, BMA_SLEEP);
				memset(p[j], round, sizes[i]);
			}
			for (int j = 0; j < n; j++) {
				if (j % 3)
					bma_cache_free(c, p[j]);
				else
					bma_cache_free_rcu(c, p[j]);
			}
			if (round == 1)
				cr_assert_eq(bma_trim(), 0);
			cr_assert_eq(bma_rcu_barrier(c), 0);
		}
		cr_assert_eq(bma_cache_destroy(c), 0);
	}
}

Test(key, products_say_what_divisions_say)
{
	for (size_t size = 8; size <= 20000; size += size < 600 ? 8 : 136) {
		struct bma_cache *c = cache_of(size, BMA_CACHE_KEY);
		struct bma__slab *s = bma__chunk_slab(bma_cache_alloc_flags(c, BMA_SLEEP));
		size_t bytes = (size_t)s->geo.units * BMA__UNIT_SIZE;

		for (uint32_t i = 0; i < s->geo.objs; i++)
			cr_assert(bma__key_begins(c->engine, bma__slab_object(s, i)),
				  "size %zu, object %u", size, i);
		s->carved = s->geo.objs;
		for (size_t at = 0; at < bytes; at += 8)
			cr_assert_eq(bma__key_begins(c->engine, s->base + at),
				     bma__slab_check(s, s->base + at) == BMA__SLAB_OK,
				     "size %zu, at %zu", size, at);
	}
}

Test(key, what_a_reserve_gives_has_no_key)
{
	struct bma_cache *c = cache_of(64, BMA_CACHE_KEY);
	struct bma_reserve *r;
	static void *p[3000];
	int keyed = 0;

	for (int i = 0; i < 3000; i++)
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (int i = 0; i < 3000; i++)
		bma_cache_free(c, p[i]);
	r = bma_reserve_create(c, 1000);
	for (size_t i = 0; i < 1000; i++)
		keyed += ((uint64_t *)r->entry[i])[1] != 0;
	cr_assert_gt(keyed, 0);
	for (int i = 0; i < 1000; i++) {
		p[i] = bma_reserve_alloc(r);
		cr_assert_eq(((uint64_t *)p[i])[1], 0);
	}
}

/* The second word, and no other; it is the user's from the allocation on. */
Test(key, a_plain_free_writes_the_second_word_and_an_allocation_clears_it)
{
	struct bma_cache *c = cache_of(64, BMA_CACHE_KEY);
	uint64_t *p = bma_cache_alloc_flags(c, BMA_SLEEP), key;

	for (int i = 0; i < 8; i++)
		p[i] = 7;
	bma_cache_free(c, p);
	key = p[1];
	cr_assert_neq(key, 7);
	cr_assert_neq(key, 0);
	for (int i = 0; i < 8; i++)
		cr_assert(i == 1 || p[i] == 7);
	cr_assert_eq(bma_cache_alloc(c), p);
	cr_assert_eq(p[1], 0);
	for (int i = 0; i < 8; i++)
		cr_assert(i == 1 || p[i] == 7);
	p[1] = 9;
	bma_cache_free_rcu(c, p);
	cr_assert_eq(p[1], 9);
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_eq(p[1], 9);
}

Test(key, keys_of_two_objects_differ)
{
	struct bma_cache *c = cache_of(64, BMA_CACHE_KEY);
	uint64_t *p = bma_cache_alloc_flags(c, BMA_SLEEP);
	uint64_t *q = bma_cache_alloc_flags(c, BMA_SLEEP);

	bma_cache_free(c, p);
	bma_cache_free(c, q);
	cr_assert_neq(p[1], q[1]);
	cr_assert_neq(p[1], (uintptr_t)p);
}

static void construct(void *obj, void *ctx)
{
	(void)ctx;
	memset(obj, 5, 64);
}

Test(key, constructed_and_small_objects_keep_their_bytes)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = 64, .flags = BMA_CACHE_KEY, .ctor = construct};
	struct bma_cache *c, *small = cache_of(8, BMA_CACHE_KEY);
	uint64_t *p, *low = bma_cache_alloc_flags(small, BMA_SLEEP), *high;

	c = bma_cache_create(&a);
	p = bma_cache_alloc_flags(c, BMA_SLEEP);
	bma_cache_free(c, p);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(p[i], 0x0505050505050505);
	high = bma_cache_alloc_flags(small, BMA_SLEEP);
	cr_assert_eq(high, low + 1);
	*high = 1;
	bma_cache_free(small, low);
	cr_assert_eq(*high, 1);
}

static int destructed;

static void destruct(void *obj, void *ctx)
{
	(void)obj, (void)ctx;
	destructed++;
}

/* Where a plain free has to wait it goes on doing so. */
Test(key, a_recycled_object_is_destructed_first)
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .size = 64,
				   .flags = BMA_CACHE_KEY | BMA_CACHE_DTOR_RECYCLE,
				   .dtor = destruct};
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 1);
	c = bma_cache_create(&a);
	bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	cr_assert_eq(destructed, 0);
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_eq(destructed, 1);
}

/* With gates and guarded objects, which are never given to the map. */
Test(key, goes_with_samples)
{
	struct bma_cache *c = cache_of(64, BMA_CACHE_KEY | BMA_CACHE_SAMPLE);

	for (int i = 0; i < 400; i++) {
		uint64_t *p, *q;

		bma__sample_open(c->engine);
		p = bma_cache_alloc_flags(c, BMA_SLEEP);
		q = bma_cache_alloc_flags(c, BMA_SLEEP);
		cr_assert(bma__sample_has(p));
		cr_assert_not(bma__sample_has(q));
		cr_assert_eq(p[1], 0);
		memset(p, 1, 64);
		memset(q, 1, 64);
		if (i % 2)
			bma_cache_free(c, p);
		else
			bma_cache_free_rcu(c, p);
		bma_cache_free(c, q);
	}
	cr_assert_eq(c->head.mask, 0);
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}
