/* SPDX-License-Identifier: MIT */
/* Shared engines that lost their handles, from inside. */
#include "cache/cache.h"

#include <bma/bma.h>

#include <criterion/criterion.h>

static struct bma_heap *heap(uint64_t flags)
{
	struct bma_heap_attr a = {.attr_size = sizeof a, .flags = flags};
	struct bma_heap *h = bma_heap_create(&a);

	cr_assert_not_null(h);
	return h;
}

static struct bma_heap_stats stats(struct bma_heap *h)
{
	struct bma_heap_stats s;

	cr_assert_eq(bma_heap_stats_get(h, &s, sizeof s), 0);
	return s;
}

static struct bma__engine *engine_of(struct bma_heap *h, size_t size)
{
	return bma_heap_cache(h, size)->engine;
}

/*
 * While an orphan is looked at it cannot be found, so the next heap makes another engine of its kind; then it turns out that
 * something of the orphan is live. That object is freed through the new heap all the same.
 */
Test(orphan, one_of_two_of_a_kind_takes_the_others_objects)
{
	struct bma_heap *first = heap(0), *second;
	void *p = bma_heap_alloc(first, 64), *q = bma_heap_alloc(first, 64);
	struct bma__engine *e = engine_of(first, 64);

	cr_assert(p && q);
	cr_assert_eq(bma_heap_destroy(first), 0);
	bma__lock_take(&bma__merge_lock);
	bma__merge_forget(e);
	bma__lock_drop(&bma__merge_lock);
	second = heap(BMA_HEAP_COUNT);
	bma__lock_take(&bma__merge_lock);
	bma__merge_remember(e);
	bma__lock_drop(&bma__merge_lock);
	cr_assert_neq(engine_of(second, 64), e);
	bma_heap_free(second, p);
	bma_heap_free_rcu(second, q);
	/* They were not counted when they were allocated. */
	cr_assert_eq(stats(second).live, (uint64_t)-2);
	bma_trim();
	cr_assert_eq(e->objs_carved, e->objs_home);
}

/* The last reference is a reserve's. */
Test(orphan, a_reserve_keeps_it)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 72, .flags = BMA_CACHE_MERGE};
	struct bma_cache *c = bma_cache_create(&a);
	struct bma_reserve *r = bma_reserve_create(c, 5);
	uint64_t before = bma__engine_number();

	cr_assert_not_null(r);
	cr_assert_eq(bma_cache_destroy(c), 0);
	bma_trim();
	cr_assert_eq(bma__engine_number(), before);
	cr_assert_not_null(bma_reserve_alloc(r));
	bma_reserve_destroy(r);
	bma_trim();
	cr_assert_eq(bma__engine_number(), before, "an object of it is live");
}

Test(orphan, the_worker_gives_them_back)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = 72, .flags = BMA_CACHE_DESTROY_ASYNC};
	uint64_t before = bma__engine_number();
	struct bma_cache *c = bma_cache_create(&a);

	bma_cache_free_rcu(c, bma_cache_alloc(c));
	cr_assert_eq(bma_cache_destroy(c), 0);
	for (int i = 0; i < 20000 && bma__engine_number() != before; i++)
		bma__os_sleep(1000000);
	cr_assert_eq(bma__engine_number(), before);
}
