/* SPDX-License-Identifier: MIT */
/*
 * mimalloc's heaps, one for each pool and thread: only the thread that made a heap may allocate
 * from it, while any may free.
 */
#define PEER_NAME "mi-heap"
#define PEER_OWN_POOL
#define PEER_WORKLOADS                                                                             \
	(WORKLOAD_PAIR | WORKLOAD_BATCH | WORKLOAD_THREADS | WORKLOAD_CROWD | WORKLOAD_HANDOVER |  \
	 WORKLOAD_MAPS)

#include <stddef.h>

typedef struct {
	size_t size;
	size_t number;
} peer_pool;

#include "mimalloc.h"

/* The most pools that a workload makes. */
#define MI_HEAP_POOLS 10240

static size_t mi_heap_made;
static __thread mi_heap_t *mi_heap_mine[MI_HEAP_POOLS];

static inline peer_pool peer_create(size_t size, size_t objects)
{
	(void)objects;
	if (mi_heap_made == MI_HEAP_POOLS)
		bench_die("too many pools for mi-heap");
	return (peer_pool){size, mi_heap_made++};
}

static inline void *peer_alloc(peer_pool pool)
{
	mi_heap_t *heap = mi_heap_mine[pool.number];

	return __builtin_expect(heap != NULL, 1) ? mi_heap_malloc(heap, pool.size) : NULL;
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	mi_heap_t **heap = &mi_heap_mine[pool.number];
	void *p;

	if (!*heap)
		*heap = mi_heap_new();
	p = *heap ? mi_heap_malloc(*heap, pool.size) : NULL;
	if (!p)
		bench_die("out of memory");
	return p;
}

static inline void peer_free(peer_pool pool, void *p)
{
	(void)pool;
	mi_free(p);
}

static inline void peer_thread_enter(void)
{
}

static inline void peer_thread_leave(void)
{
	for (size_t i = 0; i < mi_heap_made; i++) {
		if (mi_heap_mine[i])
			mi_heap_delete(mi_heap_mine[i]);
		mi_heap_mine[i] = NULL;
	}
}
