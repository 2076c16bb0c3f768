/* SPDX-License-Identifier: MIT */
/* Without any mode: what is found when an address comes home to its slab. */
#include "misuse.h"

#include <pthread.h>
#include <stdlib.h>

#define HOME "drain of what bma_cache_free or bma_cache_free_rcu took: cache \"cache\": object @ "
#define TWICE HOME "is free already (freed twice)"
#define FOREIGN HOME "is not an object of this cache"
#define INSIDE HOME "points inside an object of this cache"
#define NEVER HOME "was never allocated"

static int twice(size_t size)
{
	struct bma_cache *cache = misuse_cache(size, 0);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	bma_cache_free(cache, obj);
	return misuse_home_all();
}

static int twice_8(void)
{
	return twice(8);
}

static int twice_64(void)
{
	return twice(64);
}

static int twice_4096(void)
{
	return twice(4096);
}

static int twice_in_bulk(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *objs[3];

	bma_cache_alloc_bulk(cache, objs, 3, BMA_SLEEP);
	objs[2] = objs[0];
	bma_cache_free_bulk(cache, objs, 3);
	return misuse_home_all();
}

static int twice_with_others_between(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *objs[1000];

	for (int i = 0; i < 1000; i++)
		objs[i] = misuse_taken(cache);
	for (int i = 0; i < 1000; i++)
		bma_cache_free(cache, objs[i]);
	bma_cache_free(cache, objs[500]);
	return misuse_home_all();
}

static struct bma_cache *shared;

static void *free_it(void *obj)
{
	bma_cache_free(shared, obj);
	return NULL;
}

static int twice_by_two_threads(void)
{
	pthread_t thread;
	void *obj;

	shared = misuse_cache(64, 0);
	obj = misuse_taken(shared);
	bma_cache_free(shared, obj);
	pthread_create(&thread, NULL, free_it, obj);
	pthread_join(thread, NULL);
	return misuse_home_all();
}

static int twice_deferred(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *obj = misuse_taken(cache);

	bma_cache_free_rcu(cache, obj);
	bma_cache_free_rcu(cache, obj);
	return misuse_home_all();
}

static int free_then_deferred(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	bma_cache_free_rcu(cache, obj);
	return misuse_home_all();
}

static int of_malloc(void)
{
	bma_cache_free(misuse_primed(64), malloc(64));
	return misuse_home_all();
}

static int of_the_stack(void)
{
	char object[64];

	bma_cache_free(misuse_primed(64), object);
	return misuse_home_all();
}

/* The first free of a cache meets no magazine, and the slab at once. */
static int at_the_first_free(void)
{
	bma_cache_free(misuse_cache(64, 0), malloc(64));
	return 1;
}

static int of_nowhere(void)
{
	bma_cache_free(misuse_primed(64), (void *)(uintptr_t)0x123456789000);
	return misuse_home_all();
}

static int of_another_cache(void)
{
	struct bma_cache *cache = misuse_primed(64), *other = misuse_cache(64, 0);

	bma_cache_free(cache, misuse_taken(other));
	return misuse_home_all();
}

static int inside(size_t size, size_t offset)
{
	struct bma_cache *cache = misuse_cache(size, 0);

	bma_cache_free(cache, (char *)misuse_taken(cache) + offset);
	return misuse_home_all();
}

static int inside_by_one(void)
{
	return inside(64, 1);
}

static int inside_by_a_word(void)
{
	return inside(64, 8);
}

static int inside_a_large_one(void)
{
	return inside(100000, 4096);
}

static int inside_deferred(void)
{
	struct bma_cache *cache = misuse_primed(64);

	bma_cache_free_rcu(cache, misuse_taken(cache));
	bma_cache_free_rcu(cache, (char *)misuse_taken(cache) + 16);
	return misuse_home_all();
}

static int never_allocated(void)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof(attr), .name = "cache", .size = 4096, .batch = 2};
	struct bma_cache *cache = bma_cache_create(&attr);
	char *obj = misuse_taken(cache);

	/* In the same slab, where nothing was carved yet. */
	bma_cache_free(cache, obj + 10 * (4096 + 64));
	return misuse_home_all();
}

static int live_at_destroy(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);

	misuse_taken(cache);
	return bma_cache_destroy(cache) != -16;
}

static int reserve_at_destroy(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);

	return !bma_reserve_create(cache, 4) || bma_cache_destroy(cache) != -16;
}

const struct misuse misuse_home[] = {
	{"twice_8", "worker:off", twice_8, MISUSE_ABORTS, TWICE, NULL},
	{"twice_64", "worker:off", twice_64, MISUSE_ABORTS, TWICE, NULL},
	{"twice_4096", "worker:off", twice_4096, MISUSE_ABORTS, TWICE, NULL},
	{"twice_guest", "worker:off,rseq:off", twice_64, MISUSE_ABORTS, TWICE, NULL},
	{"twice_in_bulk", "worker:off", twice_in_bulk, MISUSE_ABORTS, TWICE, NULL},
	{"twice_with_others_between", "worker:off", twice_with_others_between, MISUSE_ABORTS, TWICE,
	 NULL},
	{"twice_by_two_threads", "worker:off", twice_by_two_threads, MISUSE_ABORTS, TWICE, NULL},
	{"twice_deferred", "worker:off", twice_deferred, MISUSE_ABORTS, TWICE, NULL},
	{"free_then_deferred", "worker:off", free_then_deferred, MISUSE_ABORTS, TWICE, NULL},
	{"of_malloc", "worker:off", of_malloc, MISUSE_ABORTS, FOREIGN, NULL},
	{"at_the_first_free", "worker:off", at_the_first_free, MISUSE_ABORTS,
	 "bma_cache_free: cache \"cache\": object @ is not an object of this cache", NULL},
	{"of_the_stack", "worker:off", of_the_stack, MISUSE_ABORTS, FOREIGN, NULL},
	{"of_nowhere", "worker:off", of_nowhere, MISUSE_ABORTS, FOREIGN, NULL},
	{"of_another_cache", "worker:off", of_another_cache, MISUSE_ABORTS, FOREIGN, NULL},
	{"inside_by_one", "worker:off", inside_by_one, MISUSE_ABORTS, INSIDE, NULL},
	{"inside_by_a_word", "worker:off", inside_by_a_word, MISUSE_ABORTS, INSIDE, NULL},
	{"inside_a_large_one", "worker:off", inside_a_large_one, MISUSE_ABORTS,
	 "bma_cache_free: cache \"cache\": object @ points inside an object of this cache", NULL},
	{"inside_deferred", "worker:off", inside_deferred, MISUSE_ABORTS, INSIDE, NULL},
	{"never_allocated", "worker:off", never_allocated, MISUSE_ABORTS, NEVER, NULL},
	{"live_at_destroy", "worker:off,verbose", live_at_destroy, MISUSE_GOES_ON,
	 "bma_cache_destroy: cache \"cache\": 1 objects live, 0 reserves", NULL},
	{"reserve_at_destroy", "worker:off,verbose", reserve_at_destroy, MISUSE_GOES_ON,
	 "bma_cache_destroy: cache \"cache\": 0 objects live, 1 reserves", NULL},
	{0},
};
