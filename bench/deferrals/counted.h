/* SPDX-License-Identifier: MIT */
/* What liburcu's methods share: a callback that frees, and counts, for liburcu does not tell what waits. */
#ifndef BENCH_DEFERRALS_COUNTED_H
#define BENCH_DEFERRALS_COUNTED_H

#include <stdatomic.h>

#define DEFER_WORKLOADS (DEFER_RCU | DEFER_HTAB)
#define DEFER_POLL NULL

/* Written by one thread at a time: by that which runs callbacks, or under a lock of liburcu's. */
static _Alignas(128) _Atomic uint64_t defer_done;

static inline void defer_run(void *p)
{
	peer_free((peer_pool)0, p);
	atomic_store_explicit(&defer_done,
			      atomic_load_explicit(&defer_done, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* Nothing waits: count from here on. */
static inline void defer_count_anew(void)
{
	atomic_store_explicit(&defer_done, 0, memory_order_relaxed);
}

static inline peer_pool defer_create(size_t size, size_t objects)
{
	return peer_create(size, objects);
}

static inline void defer_destroy(peer_pool pool)
{
	(void)pool;
}

static inline uint64_t defer_waiting(uint64_t freed)
{
	return freed - atomic_load_explicit(&defer_done, memory_order_relaxed);
}

static inline void defer_figures(struct bench_state *st, peer_pool pool, uint64_t waited)
{
	defer_say_waiting(st, waited, pool);
}

#endif /* BENCH_DEFERRALS_COUNTED_H */
