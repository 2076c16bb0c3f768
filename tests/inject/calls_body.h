/* SPDX-License-Identifier: MIT */
/* The body of calls_inlined.c and calls_exported.c, which differ in what <bma/cache.h> makes of the hot calls. */
#include <bma/bma.h>

#include "calls.h"

static uintptr_t call_alloc(void *cache, void *b, size_t n)
{
	(void)b, (void)n;
	return (uintptr_t)bma_cache_alloc(cache);
}

static uintptr_t call_zeroed(void *cache, void *b, size_t n)
{
	(void)b, (void)n;
	return (uintptr_t)bma_cache_alloc_flags(cache, BMA_ZERO);
}

static uintptr_t call_alloc_bulk(void *cache, void *objs, size_t n)
{
	return bma_cache_alloc_bulk(cache, objs, n, 0);
}

static uintptr_t call_free(void *cache, void *obj, size_t n)
{
	(void)n;
	bma_cache_free(cache, obj);
	return 0;
}

static uintptr_t call_free_bulk(void *cache, void *objs, size_t n)
{
	bma_cache_free_bulk(cache, objs, n);
	return 0;
}

static uintptr_t call_free_rcu(void *cache, void *obj, size_t n)
{
	(void)n;
	bma_cache_free_rcu(cache, obj);
	return 0;
}

static uintptr_t call_free_rcu_flags(void *cache, void *obj, size_t n)
{
	(void)n;
	return (uintptr_t)bma_cache_free_rcu_flags(cache, obj, 0);
}

static uintptr_t call_reserve_alloc(void *reserve, void *b, size_t n)
{
	(void)b, (void)n;
	return (uintptr_t)bma_reserve_alloc(reserve);
}

static uintptr_t call_reserve_count(void *reserve, void *b, size_t n)
{
	(void)b, (void)n;
	return bma_reserve_count(reserve);
}

static uintptr_t call_rcu_stats(void *a, void *stats, size_t n)
{
	(void)a;
	return (uintptr_t)bma_rcu_stats_get(0, stats, n);
}

static uintptr_t call_heap_alloc(void *heap, void *b, size_t size)
{
	(void)b;
	return (uintptr_t)bma_heap_alloc(heap, size);
}

static uintptr_t call_heap_free(void *heap, void *obj, size_t size)
{
	(void)size;
	bma_heap_free(heap, obj);
	return 0;
}

static uintptr_t call_heap_free_sized(void *heap, void *obj, size_t size)
{
	bma_heap_free_sized(heap, obj, size);
	return 0;
}

static uintptr_t call_heap_free_rcu(void *heap, void *obj, size_t size)
{
	(void)size;
	bma_heap_free_rcu(heap, obj);
	return 0;
}

static uintptr_t call_percpu_add(void *word, void *b, size_t n)
{
	(void)b;
	bma_this_cpu_add(word, n);
	return 0;
}

#define CALLS(form)                                                                                \
	{                                                                                          \
		.name = form, .alloc = call_alloc, .zeroed = call_zeroed,                          \
		.alloc_bulk = call_alloc_bulk, .free = call_free, .free_bulk = call_free_bulk,     \
		.free_rcu = call_free_rcu, .free_rcu_flags = call_free_rcu_flags,                  \
		.reserve_alloc = call_reserve_alloc, .reserve_count = call_reserve_count,          \
		.rcu_stats = call_rcu_stats, .heap_alloc = call_heap_alloc,                        \
		.heap_free = call_heap_free, .heap_free_sized = call_heap_free_sized,              \
		.heap_free_rcu = call_heap_free_rcu, .percpu_add = call_percpu_add,                \
	}
