/* SPDX-License-Identifier: MIT */
/* With the light checks that one can leave on: what is found in the call. */
#include "misuse.h"

#include <stdlib.h>

#define FREE "bma_cache_free: cache \"cache\": object @ "
#define DEFER "bma_cache_free_rcu: cache \"cache\": object @ "
#define TWICE "is free already (freed twice)"
#define FOREIGN "is not an object of this cache"
#define INSIDE "points inside an object of this cache"

static int twice(size_t size, uint64_t flags, bool deferred)
{
	struct bma_cache *cache = misuse_cache(size, flags);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	if (deferred)
		bma_cache_free_rcu(cache, obj);
	else
		bma_cache_free(cache, obj);
	return 1;
}

static int free_free(void)
{
	return twice(64, 0, false);
}

static int free_defer(void)
{
	return twice(64, 0, true);
}

static int smallest(void)
{
	return twice(16, 0, false);
}

static int large(void)
{
	return twice(100000, 0, false);
}

static int by_flag(void)
{
	return twice(64, BMA_CACHE_KEY, false);
}

/* Other frees came between. */
static int a_moment_later(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *objs[1000];

	for (int i = 0; i < 1000; i++)
		objs[i] = misuse_taken(cache);
	for (int i = 0; i < 1000; i++)
		bma_cache_free(cache, objs[i]);
	bma_cache_free(cache, objs[500]);
	return 1;
}

static int taken_again(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	/* The same; by the call that is inlined. */
	obj = bma_cache_alloc(cache);
	bma_cache_free(cache, obj);
	bma_cache_free(cache, obj);
	return 1;
}

static int of_a_reserve(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	struct bma_reserve *reserve;
	void *obj;

	/* What goes into the reserve has been free. */
	for (int i = 0; i < 8; i++)
		bma_cache_free(cache, misuse_taken(cache));
	reserve = bma_reserve_create(cache, 4);
	obj = bma_reserve_alloc(reserve);
	bma_cache_free(cache, obj);
	bma_cache_free(cache, obj);
	return 1;
}

static int of_malloc(void)
{
	bma_cache_free(misuse_cache(64, 0), malloc(64));
	return 1;
}

static int deferred_of_malloc(void)
{
	bma_cache_free_rcu(misuse_cache(64, 0), malloc(64));
	return 1;
}

static int of_another_cache(void)
{
	struct bma_cache *cache = misuse_primed(64);

	bma_cache_free(cache, misuse_taken(misuse_cache(64, 0)));
	return 1;
}

static int inside_by(size_t size, size_t n)
{
	struct bma_cache *cache = misuse_cache(size, 0);

	bma_cache_free(cache, (char *)misuse_taken(cache) + n);
	return 1;
}

static int inside(void)
{
	return inside_by(64, 8);
}

/* Objects in groups, with some bytes between these. */
static int inside_large(void)
{
	return inside_by(4096, 64);
}

static int inside_odd(void)
{
	return inside_by(104, 96);
}

static int deferred_inside(void)
{
	struct bma_cache *cache = misuse_primed(64);

	/* The next one has a magazine to go to. */
	bma_cache_free_rcu(cache, misuse_taken(cache));
	bma_cache_free_rcu(cache, (char *)misuse_taken(cache) + 8);
	return 1;
}

static void touch(void *obj, void *ctx)
{
	(void)obj;
	(void)ctx;
}

/* Only addresses are looked at, and that is done. */
static int inside_constructed(uint64_t flags)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr),
				      .name = "cache",
				      .size = 64,
				      .flags = flags,
				      .ctor = touch,
				      .dtor = touch};
	struct bma_cache *cache = bma_cache_create(&attr);

	bma_cache_free(cache, (char *)misuse_taken(cache) + 8);
	return 1;
}

static int constructed(void)
{
	return inside_constructed(0);
}

static int recycled(void)
{
	return inside_constructed(BMA_CACHE_DTOR_RECYCLE);
}

const struct misuse misuse_key[] = {
	{"key_free_free", "debug:key", free_free, MISUSE_ABORTS, FREE TWICE, NULL},
	{"key_free_defer", "debug:key", free_defer, MISUSE_ABORTS, DEFER TWICE, NULL},
	{"key_guest", "debug:key,rseq:off", free_free, MISUSE_ABORTS, FREE TWICE, NULL},
	{"key_smallest", "debug:key", smallest, MISUSE_ABORTS, FREE TWICE, NULL},
	{"key_large", "debug:key", large, MISUSE_ABORTS, FREE TWICE, NULL},
	{"key_by_flag", "", by_flag, MISUSE_ABORTS, FREE TWICE, NULL},
	{"key_a_moment_later", "debug:key", a_moment_later, MISUSE_ABORTS, FREE TWICE, NULL},
	{"key_taken_again", "debug:key", taken_again, MISUSE_ABORTS, FREE TWICE, NULL},
	{"key_of_a_reserve", "debug:key", of_a_reserve, MISUSE_ABORTS, FREE TWICE, NULL},
	{"key_and_sample", "debug:key+sample,sample_ms:1", a_moment_later, MISUSE_ABORTS,
	 FREE TWICE, NULL},
	{"key_and_check", "debug:key+check", free_free, MISUSE_ABORTS,
	 FREE "was freed before, by bma_cache_free, or never allocated", NULL},
	{"key_of_malloc", "debug:key", of_malloc, MISUSE_ABORTS, FREE FOREIGN, NULL},
	{"key_deferred_of_malloc", "debug:key", deferred_of_malloc, MISUSE_ABORTS, DEFER FOREIGN,
	 NULL},
	{"key_of_another_cache", "debug:key", of_another_cache, MISUSE_ABORTS, FREE FOREIGN, NULL},
	{"key_inside", "debug:key", inside, MISUSE_ABORTS, FREE INSIDE, NULL},
	{"key_inside_large", "debug:key", inside_large, MISUSE_ABORTS, FREE INSIDE, NULL},
	{"key_inside_odd", "debug:key", inside_odd, MISUSE_ABORTS, FREE INSIDE, NULL},
	{"key_deferred_inside", "debug:key", deferred_inside, MISUSE_ABORTS, DEFER INSIDE, NULL},
	{"key_constructed", "debug:key", constructed, MISUSE_ABORTS, FREE INSIDE, NULL},
	{"key_recycled", "debug:key", recycled, MISUSE_ABORTS, FREE INSIDE, NULL},
	{0},
};
