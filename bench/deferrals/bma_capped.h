/* SPDX-License-Identifier: MIT */
/*
 * bma_cache_free_rcu_flags(BMA_SLEEP), which waits while 8 MiB of objects wait for a grace period.
 */
#define DEFER_WORKLOADS DEFER_CHURN
#define DEFER_STOCK(size, objects) (objects)
#define DEFER_LIMBO_MAX ((size_t)8 << 20)

#include "bma.h"

static inline void defer_free(peer_pool pool, void *p)
{
	if (bma_cache_free_rcu_flags(pool, p, BMA_SLEEP))
		bench_die("bma_cache_free_rcu_flags failed");
}
