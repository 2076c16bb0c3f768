/* SPDX-License-Identifier: MIT */
/* The public calls that change who pays, or make room. */
#include "api.h"

#include <errno.h>

int bma_group_destroy(struct bma_group *group)
{
	struct bma__pin_object *freed = NULL;
	int rc;

	if (!group)
		return 0;
	if (bma__init())
		return -ESTALE;
	rc = bma__payer_destroy(group, &freed);
	bma__owned_free_pinned(freed);
	return rc;
}

/* Who pays for a cache alone; NULL: it shares what its engine or heap has, or is counted only. */
static struct bma__record *record_of(const struct bma_cache *cache)
{
	struct bma__record *r = cache->record ? cache->record : cache->engine->record;

	if (!r || r == bma__record_root || r->uncharged || cache->heap ||
	    !atomic_load_explicit(&r->group, memory_order_relaxed))
		return NULL;
	return r;
}

int bma_cache_recharge(struct bma_cache *cache, struct bma_group *group)
{
	struct bma__record *r = cache ? record_of(cache) : NULL;

	if (!r)
		return -EOPNOTSUPP;
	return bma__payer_move(r, group);
}

int bma_heap_recharge(struct bma_heap *heap, struct bma_group *group)
{
	struct bma__record *r = heap ? heap->record : NULL;

	if (!r || !atomic_load_explicit(&r->group, memory_order_relaxed))
		return -EOPNOTSUPP;
	return bma__payer_move(r, group);
}

static struct bma_group *group_of(const struct bma__record *r)
{
	struct bma_group *group = r ? atomic_load_explicit(&r->handle, memory_order_relaxed) : NULL;

	return group ? group : bma__group_handle(bma__group_root);
}

struct bma_group *bma_cache_group(struct bma_cache *cache)
{
	return group_of(cache->record	? cache->record
			: cache->heap	? cache->heap->record
			: cache->engine ? cache->engine->record
					: NULL);
}

struct bma_group *bma_heap_group(struct bma_heap *heap)
{
	return group_of(heap->record);
}

uint64_t bma_group_reclaim(struct bma_group *group, uint64_t bytes)
{
	if (bma__init())
		return 0;
	bma__init_threads();
	return bma__pressure_reclaim(group, bytes);
}
