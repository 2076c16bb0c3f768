/* SPDX-License-Identifier: MIT */
/*
 * BMA's heaps: a heap for each pool, which shares its size classes with the others; of the objects'
 * sizes only an allocation is told. Inline calls unless BMA_NO_INLINE is defined.
 */
#ifndef BENCH_PEERS_BMA_HEAP_H
#define BENCH_PEERS_BMA_HEAP_H

#ifdef BENCH_BMA_EXPORTED
#define PEER_NAME "bma-heap-exported"
#else
#define PEER_NAME "bma-heap"
#endif
#define PEER_WORKLOADS (WORKLOAD_MAPS | WORKLOAD_TRACE | WORKLOAD_SIZES | WORKLOAD_HANDLES)
#define PEER_OWN_POOL

#include <bma/heap.h>

typedef struct {
	struct bma_heap *heap;
	size_t size;
} peer_pool;

#include "bma.h"

static inline struct bma_heap *bma_heap_made(void)
{
	struct bma_heap_attr attr = {.attr_size = sizeof(attr), .name = "bench"};
	struct bma_heap *heap = bma_heap_create(&attr);

	if (!heap)
		bench_die("bma_heap_create failed");
	return heap;
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	(void)objects;
	return (peer_pool){bma_heap_made(), size};
}

static inline void peer_destroy(peer_pool pool)
{
	if (bma_heap_destroy(pool.heap))
		bench_die("bma_heap_destroy failed");
}

static inline void *peer_alloc(peer_pool pool)
{
	return bma_heap_alloc(pool.heap, pool.size);
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	void *p = bma_heap_alloc_flags(pool.heap, pool.size, BMA_SLEEP);

	if (!p)
		bench_die("bma: out of memory");
	return p;
}

static inline void peer_free(peer_pool pool, void *p)
{
	bma_heap_free(pool.heap, p);
}

#endif /* BENCH_PEERS_BMA_HEAP_H */
