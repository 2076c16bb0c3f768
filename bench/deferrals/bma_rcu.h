/* SPDX-License-Identifier: MIT */
/* bma_cache_free_rcu(), the call for any context. */
#define DEFER_WORKLOADS (DEFER_RCU | DEFER_HTAB)
/* As much as may wait by default: 64 MiB. */
#define DEFER_STOCK(size, objects) ((objects) + ((size_t)64 << 20) / (size))
#define DEFER_LIMBO_MAX 0

#include "bma.h"

static inline void defer_free(peer_pool pool, void *p)
{
	bma_cache_free_rcu(pool, p);
}
