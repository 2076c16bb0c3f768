/* SPDX-License-Identifier: MIT */
/*
 * What the methods of BMA share. Included by one that has defined DEFER_WORKLOADS, DEFER_STOCK(size,
 * objects), the stock of a cache for a workload that has no second try, and DEFER_LIMBO_MAX, the
 * limit of what may wait (0: the library's own).
 */
#ifndef BENCH_DEFERRALS_BMA_H
#define BENCH_DEFERRALS_BMA_H

#define DEFER_POLL defer_poll

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

static inline void defer_poll(void)
{
	if (bma_poll(BMA_POLL_GP) < 0)
		bench_die("bma_poll failed");
}

static inline peer_pool defer_create(size_t size, size_t objects)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof(attr),
		.size = size,
		.rcu = &rcu_flavor,
#ifdef BENCH_NO_RETRY
		.reserve = DEFER_STOCK(size, objects),
#endif
		.limbo_max = DEFER_LIMBO_MAX,
	};
	struct bma_cache *cache = bma_cache_create(&attr);

	(void)objects;
	if (!cache)
		bench_die("bma_cache_create failed");
	return cache;
}

static inline void defer_settle(peer_pool pool)
{
	if (bma_rcu_barrier(pool))
		bench_die("bma_rcu_barrier failed");
}

static inline void defer_destroy(peer_pool pool)
{
	if (bma_cache_destroy(pool))
		bench_die("bma_cache_destroy failed: objects were lost");
}

static inline void defer_start(void)
{
	/*
	 * The library starts its threads when they are needed: here, by a thread that is bound
	 * nowhere.
	 */
	peer_pool pool = defer_create(64, 0);

	bma_cache_free_rcu(pool, peer_alloc_slow(pool));
	defer_settle(pool);
	defer_destroy(pool);
}

static inline uint64_t defer_waiting(uint64_t freed)
{
	(void)freed;
	return 0;
}

static inline void defer_figures(struct bench_state *st, peer_pool pool, uint64_t waited)
{
	struct bma_cache_stats stats = {0};

	(void)waited;
	if (bma_cache_stats_get(pool, &stats, sizeof(stats)))
		bench_die("bma_cache_stats_get failed");
	defer_say_waiting(st, stats.limbo_peak, stats.stride);
	bench_set_counter(st, "limbo_overruns", (double)stats.limbo_overruns, 0);
	if (DEFER_LIMBO_MAX) {
		/* A magazine of each CPU fills unseen. */
		double most = (double)DEFER_LIMBO_MAX +
			      (double)(stats.slots_used * stats.capacity * stats.stride);

		bench_set_counter(st, "over_limit_kib",
				  ((double)(stats.limbo_peak * stats.stride) - most) / 1024, 0);
	}
}

#endif /* BENCH_DEFERRALS_BMA_H */
