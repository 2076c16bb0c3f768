/* SPDX-License-Identifier: MIT */
/* Not deferred: bma_cache_free(). Objects stay of their type, and that is all. */
#define DEFER_WORKLOADS DEFER_HTAB_LOCKED
#define DEFER_STOCK(size, objects) (objects)
#define DEFER_LIMBO_MAX 0
#define DEFER_REUSES

#include "bma.h"

static inline void defer_free(peer_pool pool, void *p)
{
	bma_cache_free(pool, p);
}
