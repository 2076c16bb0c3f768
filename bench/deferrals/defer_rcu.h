/* SPDX-License-Identifier: MIT */
/*
 * liburcu's defer_rcu(), which keeps 4096 pointers per thread: a thread that finds them all in use
 * waits for a grace period and frees them itself; a thread of liburcu's does so every 100 ms.
 */
#include "deferrals/counted.h"

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

static inline void defer_free(peer_pool pool, void *p)
{
	(void)pool;
	defer_rcu(defer_run, p);
}

static inline void defer_settle(peer_pool pool)
{
	(void)pool;
	rcu_defer_barrier();
	defer_count_anew();
}
