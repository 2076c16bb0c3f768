/* SPDX-License-Identifier: MIT */
/* Caches whose every call is looked at, see checked.h. */
#include "cache.h"

void bma__checked_taken(struct bma__engine *e, void *obj)
{
	if (e->flags & BMA_CACHE_DEBUG)
		bma__slab_take_live(bma__engine_slab(e, obj, "bma_cache_alloc"), obj);
}

void *bma__checked_alloc(struct bma__engine *e)
{
	void *obj = bma__slot_alloc(e);

	if (obj)
		bma__checked_taken(e, obj);
	return obj;
}

static void check(struct bma__engine *e, void *obj, bool rcu, const char *call)
{
	enum bma__slab_result result;

	if (!(e->flags & BMA_CACHE_DEBUG))
		return;
	result = bma__slab_drop_live(bma__engine_slab(e, obj, call), obj, rcu);
	if (result != BMA__SLAB_OK)
		bma__engine_misuse(e, obj, result, call);
}

void bma__checked_free(struct bma__engine *e, void *obj)
{
	check(e, obj, false, "bma_cache_free");
	if (e->flags & BMA_CACHE_DTOR_RECYCLE)
		bma__limbo_free(e, obj, true);
	else
		bma__slot_free(e, obj);
}

void bma__checked_free_rcu(struct bma__engine *e, void *obj, bool heedless)
{
	check(e, obj, true, "bma_cache_free_rcu");
	bma__limbo_free(e, obj, heedless);
}
