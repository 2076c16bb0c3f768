/* SPDX-License-Identifier: MIT */
/* The public calls on deferred frees. */
#include "api.h"

#include <errno.h>

static void free_slow(struct bma_cache *cache, void *obj, bool heedless)
{
	struct bma__engine *e = cache->engine;

	bma__rseq_clear();
	if (bma__unlikely(e->flags & BMA__CACHE_PROFILE))
		bma__profile_given(obj);
	if (e->flags & BMA__CACHE_OWNED)
		bma__owned_deferred(cache, obj);
	else
		bma__merge_count(cache, -1);
	if (bma__unlikely(bma__engine_checked(e))) {
		bma__checked_free_rcu(e, obj, heedless);
		return;
	}
	if (bma__key_has(e))
		bma__key_check(e, obj, "bma_cache_free_rcu");
	if (e->flags & BMA_CACHE_SAMPLE)
		bma__sample_given_rcu(e, obj);
#if BMA__RSEQ_BUILT
	if (bma__key_has(e) || cache->record || e->flags & BMA__CACHE_PROFILE) {
		BMA__PUSH(&e->head, BMA__SLOT_LIMBO, obj, slow);
		return;
	}
slow:
	bma__rseq_clear();
#endif
	bma__limbo_free(e, obj, heedless);
}

void bma__cache_free_rcu_slow(struct bma_cache *cache, void *obj)
{
	free_slow(cache, obj, true);
}

static void free_heeding(struct bma_cache *cache, void *obj)
{
#if BMA__RSEQ_BUILT
	BMA__PUSH(cache, BMA__SLOT_LIMBO, obj, slow);
	return;
slow:
#endif
	free_slow(cache, obj, false);
}

__attribute__((aligned(BMA_CACHELINE))) void bma_cache_free_rcu(struct bma_cache *cache, void *obj)
{
	if (!obj)
		return;
#if BMA__RSEQ_BUILT
	BMA__PUSH(cache, BMA__SLOT_LIMBO, obj, slow);
	return;
slow:
#endif
	bma__cache_free_rcu_slow(cache, obj);
}

/*
 * Wait while too much waits: for a grace period, or for destructors. A child of fork in which no grace period can end
 * goes on without, and so does a destructor: it may be what is waited for.
 */
static int throttle(struct bma__engine *e)
{
	bool online;
	int rc = bma__rcu_begin_wait(&e->flavor->rcu, &online);

	if (rc)
		return rc;
	if (bma__limbo_full(e)) {
		bma__init_threads();
		while (bma__limbo_full(e) && !bma__worker_is_caller() &&
		       !bma__defer_wait_one(e->flavor)) {
			if (!bma__defer_pending(e->flavor))
				bma__finish_nap(e);
		}
	}
	bma__rcu_end_wait(&e->flavor->rcu, online);
	return 0;
}

int bma_cache_free_rcu_flags(struct bma_cache *cache, void *obj, unsigned int flags)
{
	int rc;

	if (flags & ~BMA_SLEEP)
		return -EINVAL;
	if (!obj)
		return 0;
	if (!(flags & BMA_SLEEP)) {
		bma_cache_free_rcu(cache, obj);
		return 0;
	}
	rc = throttle(cache->engine);
	if (!rc)
		free_heeding(cache, obj);
	return rc;
}

int bma_rcu_barrier(struct bma_cache *cache)
{
	bma__init_threads();
	return bma__reclaim_barrier(cache->engine);
}
