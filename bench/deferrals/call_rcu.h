/* SPDX-License-Identifier: MIT */
/*
 * liburcu's call_rcu() with its default thread, which is what a program has that sets nothing up,
 * and a callback that calls free().
 */
#include "deferrals/counted.h"

static inline void defer_callback(struct rcu_head *head)
{
	defer_run((char *)head - BENCH_HEAD_AT);
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

static inline void defer_free(peer_pool pool, void *p)
{
	(void)pool;
	call_rcu((struct rcu_head *)(void *)((char *)p + BENCH_HEAD_AT), defer_callback);
}

static inline void defer_settle(peer_pool pool)
{
	(void)pool;
	rcu_barrier();
	defer_count_anew();
}
