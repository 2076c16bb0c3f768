/* SPDX-License-Identifier: MIT */
/* A peer that notes on which CPU its calls are made; nothing is measured with it. */
#include <sched.h>
#include <stdatomic.h>

#define PEER_NAME "where"
#define PEER_WORKLOADS (WORKLOAD_THREADS | WORKLOAD_HANDOVER)

typedef size_t peer_pool;

/* Bits of the CPUs below 64. */
extern _Atomic uint64_t where_allocated, where_freed;

static inline peer_pool peer_create(size_t size, size_t objects)
{
	(void)objects;
	return size;
}

static inline void *peer_alloc(peer_pool pool)
{
	where_allocated |= UINT64_C(1) << (sched_getcpu() & 63);
	return malloc(pool);
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	(void)pool;
	bench_die("out of memory");
}

static inline void peer_free(peer_pool pool, void *p)
{
	(void)pool;
	where_freed |= UINT64_C(1) << (sched_getcpu() & 63);
	free(p);
}

static inline void peer_thread_enter(void)
{
}

static inline void peer_thread_leave(void)
{
}
