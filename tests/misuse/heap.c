/* SPDX-License-Identifier: MIT */
/* Bugs with heaps, merged caches, per-CPU and typed objects. */
#include "misuse.h"

#include <bma/compat/bpf_mem_alloc.h>

#include <errno.h>
#include <stdlib.h>

static struct bma_heap *heap(uint64_t flags, uint64_t cache_flags)
{
	struct bma_heap_attr attr = {.attr_size = sizeof attr,
				     .name = "heap",
				     .flags = flags,
				     .cache_flags = cache_flags};

	return bma_heap_create(&attr);
}

static void *taken(struct bma_heap *h, size_t size)
{
	return bma_heap_alloc_flags(h, size, BMA_SLEEP);
}

static int of_malloc(void)
{
	bma_heap_free(heap(0, 0), malloc(64));
	return 0;
}

static int of_the_stack(void)
{
	char here[64];

	bma_heap_free(heap(0, 0), here);
	return 0;
}

static int of_nowhere(void)
{
	bma_heap_free(heap(0, 0), (void *)UINTPTR_MAX);
	return 0;
}

static int of_a_private_heap(void)
{
	bma_heap_free(heap(BMA_HEAP_PRIVATE, 0), taken(heap(BMA_HEAP_PRIVATE, 0), 64));
	return 0;
}

static int deferred_of_a_private_heap(void)
{
	bma_heap_free_rcu(heap(BMA_HEAP_PRIVATE, 0), taken(heap(BMA_HEAP_PRIVATE, 0), 64));
	return 0;
}

static int of_a_cache(void)
{
	bma_heap_free(heap(0, 0), misuse_taken(misuse_cache(64, 0)));
	return 0;
}

static int large_of_another_heap(void)
{
	bma_heap_free(heap(0, 0), taken(heap(0, 0), 1 << 20));
	return 0;
}

static int large_twice(void)
{
	struct bma_heap *h = heap(0, 0);
	void *p = taken(h, 1 << 20);

	bma_heap_free(h, p);
	bma_heap_free(h, p);
	return 0;
}

static int inside_a_large_one(void)
{
	struct bma_heap *h = heap(0, 0);

	bma_heap_free(h, (char *)taken(h, 1 << 20) + 4096);
	return 0;
}

static int twice(void)
{
	struct bma_heap *h = heap(BMA_HEAP_PRIVATE, BMA_CACHE_DEBUG);
	void *p = taken(h, 64);

	bma_heap_free(h, p);
	bma_heap_free(h, p);
	return 0;
}

static int twice_sized(void)
{
	struct bma_heap *h = heap(0, BMA_CACHE_DEBUG);
	void *p = taken(h, 64);

	bma_heap_free_sized(h, p, 64);
	bma_heap_free_sized(h, p, 64);
	return 0;
}

static int of_a_heap_that_is_gone(void)
{
	struct bma_heap *h = heap(BMA_HEAP_DESTROY_ALL, 0);
	void *p = taken(h, 64);

	if (bma_heap_destroy(h))
		return 1;
	bma_heap_free(heap(0, 0), p);
	return 0;
}

static int of_malloc_by_the_kernels_name(void)
{
	bpf_mem_free(NULL, malloc(64));
	return 0;
}

static int large_by_the_kernels_name(void)
{
	bpf_mem_free(NULL, taken(heap(0, 0), 1 << 20));
	return 0;
}

static int behind_its_end(void)
{
	struct bma_heap *h = heap(BMA_HEAP_PRIVATE, BMA_CACHE_REDZONE);
	char *p = taken(h, 64);

	p[64] = 1;
	bma_heap_free(h, p);
	return 0;
}

static int a_copy_too_far(void)
{
	uint64_t *p = taken(heap(BMA_HEAP_PERCPU, 0), 8);

	return (int)*bma_per_cpu_ptr(p, bma_percpu_copies());
}

static int freed_by_a_copy(void)
{
	struct bma_heap *h = heap(BMA_HEAP_PERCPU, 0);
	uint64_t *p = taken(h, 8);

	bma_heap_free(h, bma_per_cpu_ptr(p, 1));
	return 0;
}

static int dropped_into_another_heap(void)
{
	bma_drop(heap(0, 0), bma_new(heap(0, 0), struct bma_kptr));
	return 0;
}

static int put_too_often(void)
{
	struct bma_heap *h = heap(0, 0);
	void *p = bma_new_refcounted(h, struct bma_kptr);

	bma_put(p);
	bma_put(p);
	return 0;
}

static int live_at_destroy(void)
{
	struct bma_heap *h = heap(BMA_HEAP_PRIVATE, 0);

	taken(h, 100);
	taken(h, 1 << 20);
	return bma_heap_destroy(h) != -EBUSY;
}

static int not_merged_by_flags(void)
{
	misuse_cache(48, BMA_CACHE_MERGE);
	return !misuse_cache(48, BMA_CACHE_MERGE | BMA_CACHE_DEBUG);
}

static int not_merged_by_watermarks(void)
{
	struct bma_cache_attr attr = {.attr_size = sizeof attr,
				      .name = "cache",
				      .size = 48,
				      .reserve = 10,
				      .flags = BMA_CACHE_MERGE};

	return !bma_cache_create(&attr);
}

#define FOREIGN "bma_heap_free: heap \"heap\": pointer @ is not an object of any heap"
const struct misuse misuse_heap[] = {
	{"heap_of_malloc", "", of_malloc, MISUSE_ABORTS, FOREIGN, NULL},
	{"heap_of_the_stack", "", of_the_stack, MISUSE_ABORTS, FOREIGN, NULL},
	{"heap_of_nowhere", "", of_nowhere, MISUSE_ABORTS, FOREIGN, NULL},
	{"heap_of_another", "", of_a_private_heap, MISUSE_ABORTS,
	 "bma_heap_free: heap \"heap\": pointer @ is an object of \"heap-64\"", NULL},
	{"heap_of_another_deferred", "", deferred_of_a_private_heap, MISUSE_ABORTS,
	 "bma_heap_free_rcu: heap \"heap\": pointer @ is an object of \"heap-64\"", NULL},
	{"heap_of_a_cache", "", of_a_cache, MISUSE_ABORTS,
	 "bma_heap_free: heap \"heap\": pointer @ is an object of \"cache\"", NULL},
	{"heap_large_of_another", "", large_of_another_heap, MISUSE_ABORTS,
	 "bma_heap_free: heap \"heap\": pointer @ is an object of another heap", NULL},
	{"heap_large_twice", "worker:off", large_twice, MISUSE_ABORTS,
	 "bma_heap_free: heap \"heap\": pointer @ is free already (freed twice)", NULL},
	{"heap_inside_a_large_one", "", inside_a_large_one, MISUSE_ABORTS, FOREIGN, NULL},
	{"heap_of_one_that_is_gone", "worker:off", of_a_heap_that_is_gone, MISUSE_ABORTS,
	 "bma_heap_free: heap \"heap\": pointer @ is an object of \"a cache that was destroyed\"",
	 NULL},
	{"bpf_of_malloc", "", of_malloc_by_the_kernels_name, MISUSE_ABORTS,
	 "bpf_mem_free: pointer @ is not an object of any allocator", NULL},
	{"bpf_large", "", large_by_the_kernels_name, MISUSE_ABORTS,
	 "bpf_mem_free: pointer @ is not an object of any allocator", NULL},
	{"heap_twice", "", twice, MISUSE_ABORTS,
	 "bma_cache_free: cache \"heap-64\": object @ was freed before, by bma_cache_free, or "
	 "never allocated",
	 NULL},
	{"heap_twice_sized", "", twice_sized, MISUSE_ABORTS,
	 "bma_cache_free: cache \"heap-64\": object @ was freed before, by bma_cache_free, or "
	 "never allocated",
	 NULL},
	{"heap_behind_its_end", "", behind_its_end, MISUSE_ABORTS,
	 "bma_cache_free: cache \"heap-64\": object @ of 64 bytes: was written to behind its end, "
	 "first at byte 64",
	 NULL},
	{"percpu_a_copy_too_far", "", a_copy_too_far, MISUSE_ABORTS,
	 "per-CPU object @: copy # of # was asked for", NULL},
	{"percpu_freed_by_a_copy", "", freed_by_a_copy, MISUSE_ABORTS, FOREIGN, NULL},
	{"object_of_another_heap", "", dropped_into_another_heap, MISUSE_ABORTS,
	 "bma_drop: object @ is an object of another heap", NULL},
	{"object_put_too_often", "", put_too_often, MISUSE_ABORTS,
	 "bma_put: object @ has no type: it was dropped before, or not made by bma_new", NULL},
	{"heap_live_at_destroy", "verbose", live_at_destroy, MISUSE_GOES_ON,
	 "bma_heap_destroy: heap \"heap\": 2 objects live, 0 reserves", NULL},
	{"merge_by_flags", "verbose", not_merged_by_flags, MISUSE_GOES_ON,
	 "bma_cache_create: \"cache\" is not merged with \"cache\": their flags differ", NULL},
	{"merge_by_watermarks", "verbose", not_merged_by_watermarks, MISUSE_GOES_ON,
	 "bma_cache_create: \"cache\" is not merged: it has low, high, batch, reserve or limbo_max",
	 NULL},
	{0},
};
