/* SPDX-License-Identifier: MIT */
/*
 * Bugs with objects that a group is charged for. What is freed is looked up, so that who paid does not pay any more: so these are found by the call itself, without any
 * mode, but for an address inside an object that somebody is charged for, which is found where it comes home.
 */
#include "misuse.h"

#include <stdlib.h>

static struct bma_cache *cache_of(size_t size, uint64_t flags)
{
	struct bma_group_attr g = {.attr_size = sizeof g};
	struct bma_cache_attr attr = {.attr_size = sizeof attr,
				      .name = "cache",
				      .size = size,
				      .flags = BMA_CACHE_MERGE | flags,
				      .group = bma_group_create(bma_group_root(), &g)};

	return bma_cache_create(&attr);
}

static struct bma_heap *heap(void)
{
	struct bma_heap_attr attr = {
		.attr_size = sizeof attr, .name = "heap", .group = bma_group_root()};

	return bma_heap_create(&attr);
}

static int twice(void)
{
	struct bma_cache *cache = cache_of(64, 0);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	bma_cache_free(cache, obj);
	return 0;
}

static int twice_by_another_handle(void)
{
	struct bma_cache *cache = cache_of(64, 0), *other = cache_of(64, 0);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	bma_cache_free(other, obj);
	return 0;
}

static int twice_counted(void)
{
	struct bma_cache *cache = cache_of(64, BMA_CACHE_COUNT);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	bma_cache_free(cache, obj);
	return 0;
}

static int twice_in_bulk(void)
{
	struct bma_cache *cache = cache_of(64, 0);
	void *objs[3];

	bma_cache_alloc_bulk(cache, objs, 3, BMA_SLEEP);
	objs[2] = objs[0];
	bma_cache_free_bulk(cache, objs, 3);
	return 0;
}

static int deferred_after_a_free(void)
{
	struct bma_cache *cache = cache_of(64, 0);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	bma_cache_free_rcu(cache, obj);
	bma_rcu_barrier(cache);
	return misuse_home_all();
}

static int free_after_a_grace_period(void)
{
	struct bma_cache *cache = cache_of(64, 0);
	void *obj = misuse_taken(cache);

	bma_cache_free_rcu(cache, obj);
	bma_rcu_barrier(cache);
	bma_cache_free(cache, obj);
	return 0;
}

static int heap_twice(void)
{
	struct bma_heap *h = heap();
	void *obj = bma_heap_alloc_flags(h, 64, BMA_SLEEP);

	bma_heap_free(h, obj);
	bma_heap_free(h, obj);
	return 0;
}

static int heap_twice_sized(void)
{
	struct bma_heap *h = heap();
	void *obj = bma_heap_alloc_flags(h, 64, BMA_SLEEP);

	bma_heap_free_sized(h, obj, 64);
	bma_heap_free_sized(h, obj, 64);
	return 0;
}

static int foreign(void)
{
	bma_cache_free(cache_of(64, 0), malloc(64));
	return 0;
}

static int of_the_stack(void)
{
	char here[64];

	bma_cache_free(cache_of(64, 0), here);
	return 0;
}

static int of_nowhere(void)
{
	bma_cache_free(cache_of(64, 0), (void *)(UINTPTR_MAX & ~(uintptr_t)7));
	return 0;
}

static int of_another_size(void)
{
	bma_cache_free(cache_of(64, 0), misuse_taken(cache_of(128, 0)));
	return 0;
}

static int of_a_cache_without_a_group(void)
{
	bma_cache_free(cache_of(64, 0), misuse_taken(misuse_cache(64, BMA_CACHE_MERGE)));
	return 0;
}

static int of_a_private_cache(void)
{
	bma_cache_free(cache_of(64, 0), misuse_taken(misuse_cache(64, 0)));
	return 0;
}

/* What is behind the last object is the library's. */
static int among_the_owners(void)
{
	struct bma_cache *cache = cache_of(64, 0);
	uintptr_t obj = (uintptr_t)misuse_taken(cache);

	bma_cache_free(cache, (void *)((obj | 0xffff) & ~(uintptr_t)7));
	return 0;
}

static int inside(void)
{
	struct bma_cache *cache = cache_of(64, 0);
	char *obj = misuse_taken(cache);

	bma_cache_free(cache, obj + 8);
	return misuse_home_all();
}

static int inside_a_free_one(void)
{
	struct bma_cache *cache = cache_of(64, 0);
	char *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	bma_cache_free(cache, obj + 8);
	return misuse_home_all();
}

static int into_a_heap_of_its_own(void)
{
	const struct bma_heap_attr own = {
		.attr_size = sizeof own, .name = "own", .flags = BMA_HEAP_PRIVATE};

	bma_heap_free(bma_heap_create(&own), bma_heap_alloc_flags(heap(), 64, BMA_SLEEP));
	return 0;
}

#define CALL "bma_cache_free: cache \"cache\": object @ "
#define TWICE CALL "is free already (freed twice)"
#define INSIDE CALL "points inside an object of this cache"
#define HEAP_TWICE "bma_cache_free: cache \"heap-64\": object @ is free already (freed twice)"
#define FOREIGN CALL "is not an object of this cache"

const struct misuse misuse_group[] = {
	{"group_twice", "", twice, MISUSE_ABORTS, TWICE, NULL},
	{"group_twice_guest", "rseq:off", twice, MISUSE_ABORTS, TWICE, NULL},
	{"group_twice_by_another_handle", "", twice_by_another_handle, MISUSE_ABORTS, TWICE, NULL},
	{"group_twice_counted", "", twice_counted, MISUSE_ABORTS, TWICE, NULL},
	{"group_twice_in_bulk", "", twice_in_bulk, MISUSE_ABORTS, TWICE, NULL},
	{"group_deferred_after_a_free", "worker:off", deferred_after_a_free, MISUSE_ABORTS,
	 "bma_cache_free_rcu: cache \"cache\": object @ is free already (freed twice)", NULL},
	{"group_free_after_a_grace_period", "worker:off", free_after_a_grace_period, MISUSE_ABORTS,
	 TWICE, NULL},
	{"group_heap_twice", "", heap_twice, MISUSE_ABORTS, HEAP_TWICE, NULL},
	{"group_heap_twice_sized", "", heap_twice_sized, MISUSE_ABORTS, HEAP_TWICE, NULL},
	{"group_foreign", "", foreign, MISUSE_ABORTS, FOREIGN, NULL},
	{"group_of_the_stack", "", of_the_stack, MISUSE_ABORTS, FOREIGN, NULL},
	{"group_of_nowhere", "", of_nowhere, MISUSE_ABORTS, FOREIGN, NULL},
	{"group_of_another_size", "", of_another_size, MISUSE_ABORTS, FOREIGN, NULL},
	{"group_of_a_cache_without", "", of_a_cache_without_a_group, MISUSE_ABORTS, FOREIGN, NULL},
	{"group_of_a_private_cache", "", of_a_private_cache, MISUSE_ABORTS, FOREIGN, NULL},
	{"group_among_the_owners", "", among_the_owners, MISUSE_ABORTS, INSIDE, NULL},
	{"group_inside", "worker:off", inside, MISUSE_ABORTS,
	 "drain of what bma_cache_free or bma_cache_free_rcu took: cache \"cache\": object @ "
	 "points "
	 "inside an object of this cache",
	 NULL},
	{"group_inside_a_free_one", "worker:off", inside_a_free_one, MISUSE_ABORTS, INSIDE, NULL},
	{"group_into_a_heap_of_its_own", "", into_a_heap_of_its_own, MISUSE_ABORTS,
	 "bma_heap_free: heap \"own\": pointer @ is an object of \"heap-64\"", NULL},
	{0},
};
