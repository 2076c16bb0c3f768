/* SPDX-License-Identifier: MIT */
/* The bodies of loops.h. Included by inlined.c and exported.c, which say what LOOP(name) is and which calls are meant. */
#include "bench_c.h"
#include "host.h"
#include "loops.h"

#include <bma/bma.h>

/* Functions of their own, so that two turns of one kind run the same instructions. */
#define LOOP_FUNCTION __attribute__((noinline))

static inline __attribute__((always_inline)) void *take(struct bma_cache *cache)
{
	void *p = bma_cache_alloc(cache);

	if (__builtin_expect(!p, 0))
		p = bma_cache_alloc_flags(cache, BMA_SLEEP);
	if (__builtin_expect(!p, 0))
		group_no_memory();
	return p;
}

LOOP_FUNCTION uint64_t LOOP(pairs)(struct bma_cache *cache, size_t n)
{
	uint64_t t = host_tick_begin();

	for (size_t i = 0; i < n; i++)
		bma_cache_free(cache, bench_use(take(cache)));
	return host_tick_end() - t;
}

LOOP_FUNCTION uint64_t LOOP(alternating)(struct bma_cache *const *caches)
{
	uint64_t t = host_tick_begin();

	for (size_t i = 0; i < GROUP_PAIRS; i++) {
		struct bma_cache *cache = caches[i % GROUP_ALTERNATING];

		bma_cache_free(cache, bench_use(take(cache)));
	}
	return host_tick_end() - t;
}

LOOP_FUNCTION uint64_t LOOP(row)(struct bma_cache *cache, void **objects, size_t n)
{
	uint64_t t = host_tick_begin();

	for (size_t i = 0; i < n; i++)
		objects[i] = take(cache);
	for (size_t i = n; i; i--)
		bma_cache_free(cache, objects[i - 1]);
	return host_tick_end() - t;
}

LOOP_FUNCTION uint64_t LOOP(heap_pairs)(struct bma_heap *heap)
{
	uint64_t t = host_tick_begin();

	for (size_t i = 0; i < GROUP_PAIRS; i++) {
		void *p = bma_heap_alloc(heap, GROUP_HEAP_SIZE);

		if (__builtin_expect(!p, 0))
			p = bma_heap_alloc_flags(heap, GROUP_HEAP_SIZE, BMA_SLEEP);
		if (__builtin_expect(!p, 0))
			group_no_memory();
		bma_heap_free_sized(heap, bench_use(p), GROUP_HEAP_SIZE);
	}
	return host_tick_end() - t;
}
