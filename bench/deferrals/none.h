/* SPDX-License-Identifier: MIT */
/* What the methods share that do not wait for readers. */
#ifndef BENCH_DEFERRALS_NONE_H
#define BENCH_DEFERRALS_NONE_H

#define DEFER_REUSES
#define DEFER_POLL NULL

static inline void defer_start(void)
{
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
	peer_free(pool, p);
}

static inline void defer_settle(peer_pool pool)
{
	(void)pool;
}

static inline uint64_t defer_waiting(uint64_t freed)
{
	(void)freed;
	return 0;
}

static inline void defer_figures(struct bench_state *st, peer_pool pool, uint64_t waited)
{
	(void)st;
	(void)pool;
	(void)waited;
}

#endif /* BENCH_DEFERRALS_NONE_H */
