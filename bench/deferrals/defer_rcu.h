/* SPDX-License-Identifier: MIT */
/*
 * liburcu's defer_rcu(), which keeps 4096 pointers per thread: a thread that finds them all in use
 * waits for a grace period and frees them itself; a thread of liburcu's does so every 100 ms.
 */
#include <stdatomic.h>

#define DEFER_WORKLOADS (DEFER_RCU | DEFER_HTAB)
#define DEFER_POLL NULL

/* Written under a lock of liburcu's. */
static _Alignas(128) _Atomic uint64_t defer_done;

static inline void defer_callback(void *p)
{
	peer_free((peer_pool)0, p);
	atomic_store_explicit(&defer_done,
			      atomic_load_explicit(&defer_done, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static inline void defer_start(void)
{
	/* The first to register starts liburcu's thread. */
	if (rcu_defer_register_thread())
		bench_die("rcu_defer_register_thread failed");
}

static inline void defer_stop(void)
{
	/* liburcu demands it before the process ends. */
	rcu_defer_unregister_thread();
}

static inline void defer_enter(void)
{
	rcu_register_thread();
	if (rcu_defer_register_thread())
		bench_die("rcu_defer_register_thread failed");
}

static inline void defer_leave(void)
{
	rcu_defer_unregister_thread();
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
	defer_rcu(defer_callback, p);
}

static inline void defer_settle(peer_pool pool)
{
	(void)pool;
	rcu_defer_barrier();
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
