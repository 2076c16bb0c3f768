/* SPDX-License-Identifier: MIT */
/* Caches whose every call is looked at, see checked.h. */
#include "cache.h"

void bma__checked_taken(struct bma__engine *e, void *obj, const char *call)
{
	struct bma__slab *slab;

	if (e->flags & BMA__CACHE_CHECKS) {
		slab = bma__engine_slab(e, obj, call);
		bma__debug_open(e, obj);
		bma__debug_taken(e, slab, obj, call);
		bma__track_alloc(slab, obj);
		bma__slab_take_live(slab, obj);
	}
	if (e->flags & BMA_CACHE_PERCPU)
		bma__percpu_clear(e, obj);
}

/* The user has it no more. Returns its slab. */
static struct bma__slab *given(struct bma__engine *e, void *obj, bool rcu, const char *call)
{
	struct bma__slab *slab = bma__engine_slab(e, obj, call);
	enum bma__slab_result result = bma__slab_drop_live(slab, obj, rcu);

	if (result != BMA__SLAB_OK)
		bma__engine_misuse(e, obj, result, call);
	bma__debug_given(e, obj, call);
	bma__track_free(slab, obj);
	return slab;
}

/* Under a ticket: the object can be reached before it is counted. */
static void free_later(struct bma__engine *e, void *obj)
{
	struct bma__ticket ticket = bma__ticket_open(e);

	obj = bma__quarantine_put(e, obj);
	if (obj)
		bma__slot_free(e, obj);
	bma__ticket_close(&ticket);
}

void bma__checked_free(struct bma__engine *e, void *obj)
{
	if (e->flags & BMA__CACHE_CHECKS) {
		struct bma__slab *slab = given(e, obj, false, "bma_cache_free");

		if (bma__debug_fills(e))
			bma__debug_fill(e, slab, obj);
		/* With BMA_CACHE_DTOR_RECYCLE it has to wait first. */
		if (!(e->flags & BMA_CACHE_DTOR_RECYCLE))
			bma__debug_close(e, obj);
	}
	if (bma__key_has(e))
		bma__key_check(e, obj, "bma_cache_free");
	if (e->flags & BMA_CACHE_DTOR_RECYCLE) {
		bma__limbo_free(e, obj, true);
		return;
	}
	if (e->quarantine)
		free_later(e, obj);
	else
		bma__slot_free(e, obj);
}

void bma__checked_free_rcu(struct bma__engine *e, void *obj, bool heedless)
{
	if (e->flags & BMA__CACHE_CHECKS)
		given(e, obj, true, "bma_cache_free_rcu");
	if (bma__key_has(e))
		bma__key_check(e, obj, "bma_cache_free_rcu");
	bma__limbo_free(e, obj, heedless);
}
