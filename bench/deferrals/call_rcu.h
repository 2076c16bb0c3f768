/* SPDX-License-Identifier: MIT */
/*
 * liburcu's call_rcu() with its default thread, which is what a program has that sets nothing up,
 * and a callback that calls free().
 */
#include <stdatomic.h>

#define DEFER_WORKLOADS (DEFER_RCU | DEFER_HTAB)
#define DEFER_POLL NULL

/* Written by the one thread that runs callbacks. */
static _Alignas(128) _Atomic uint64_t defer_done;

static inline void defer_callback(struct rcu_head *head)
{
	peer_free((peer_pool)0, (char *)head - BENCH_HEAD_AT);
	atomic_store_explicit(&defer_done,
			      atomic_load_explicit(&defer_done, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static inline void defer_start(void)
{
	get_default_call_rcu_data();
}

static inline void defer_stop(void)
{
}

static inline void defer_enter(void)
{
	rcu_register_thread();
}

static inline void defer_leave(void)
{
	rcu_unregister_thread();
}

static inline peer_pool defer_create(size_t size, size_t objects)
{
	return peer_create(size, objects);
}

static inline void defer_destroy(peer_pool pool)
{
	(void)pool;
}

static inline void defer_free(peer_pool pool, void *p)
{
	(void)pool;
	call_rcu((struct rcu_head *)(void *)((char *)p + BENCH_HEAD_AT), defer_callback);
}

static inline void defer_settle(peer_pool pool)
{
	(void)pool;
	rcu_barrier();
	/* Nothing waits: count from here on. */
	atomic_store_explicit(&defer_done, 0, memory_order_relaxed);
}

static inline uint64_t defer_waiting(uint64_t freed)
{
	return freed - atomic_load_explicit(&defer_done, memory_order_relaxed);
}

static inline void defer_figures(struct bench_state *st, peer_pool pool, uint64_t waited)
{
	defer_say_waiting(st, waited, pool);
}
