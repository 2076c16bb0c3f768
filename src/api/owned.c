/* SPDX-License-Identifier: MIT */
/*
 * Calls on handles whose objects have owners: an allocation is charged first, a free uncharges last whoever was charged, so what is charged is never less
 * than what users have.
 */
#include "api.h"

#include <errno.h>

/* As the gated halves of api/cache.c: cold code is compiled to be small, and this is not to be. */
#define HOT __attribute__((hot, noinline))
#define MANY __attribute__((noinline))
/* In an engine, which begins with its head. */
#define CHARGE offsetof(struct bma__engine, charge)

static void *refused(struct bma_cache *cache)
{
	if (bma__forbid_refuses())
		return NULL;
	atomic_fetch_add_explicit(&cache->engine->fail_charge, 1, memory_order_relaxed);
	BMA__PROBE(alloc_fail, cache->engine->name, cache->engine->id, "charge");
	return NULL;
}

static void uncharge_none(struct bma_cache *cache)
{
	struct bma__record *r = cache->record;
	struct bma__group *g = atomic_load_explicit(&r->group, memory_order_relaxed);

	bma__stock_uncharge(r, cache->engine->charge);
	bma__group_fail(g, BMA_GROUP_FAIL_MEMORY);
}

static void *owned_by(struct bma_cache *cache, void *obj, const char *call)
{
	bma__owner_set(cache->engine, obj, cache->owner);
	return cache->quick ? obj : bma__cache_taken(cache, obj, call);
}

/* One part after the other. */
static MANY void *alloc_parts(struct bma_cache *cache, bool charged)
{
	struct bma__engine *e = cache->engine;
	struct bma__refusal why;
	bool forbidden = false;
	void *obj = NULL;

	bma__rseq_clear();
	if (!charged && !bma__stock_charge(cache->record, e->charge, &why))
		return refused(cache);
	if (!bma__fuzz_fails(BMA__FUZZ_ALLOC)) {
		obj = bma__step_alloc(e);
		forbidden = bma__unlikely(!obj) && bma__forbid_refuses();
		obj = bma__likely(obj) || forbidden ? obj : bma__slot_alloc(e);
	}
	if (bma__likely(obj))
		return owned_by(cache, obj, "bma_cache_alloc");
	if (forbidden) {
		bma__stock_uncharge(cache->record, e->charge);
		return NULL;
	}
	uncharge_none(cache);
	return bma__cache_none(e);
}

HOT void *bma__owned_alloc(struct bma_cache *cache)
{
	return alloc_parts(cache, false);
}

HOT void *bma__owned_alloc_quick(struct bma_cache *cache)
{
#if BMA__RSEQ_HAS_PAIRS
	struct bma__engine *e = cache->engine;
	void *obj;

	BMA__TAKE_POP(e, CHARGE, e->minus, cache->record, obj, slow, half);
	bma__owner_set(e, obj, cache->owner);
	return obj;
half:
	return alloc_parts(cache, true);
slow:
#endif
	return alloc_parts(cache, false);
}

void *bma__owned_alloc_sleep(struct bma_cache *cache)
{
	struct bma__engine *e = cache->engine;
	void *obj;

	if (!bma__pressure_charge(cache->record, e->charge)) {
		errno = bma__forbidden() ? EDEADLK : EDQUOT;
		return refused(cache);
	}
	obj = bma__step_alloc(e);
	if (!obj && bma__forbid_refuses()) {
		bma__stock_uncharge(cache->record, e->charge);
		return bma__cache_forbidden();
	}
	if (!obj)
		obj = bma__cache_alloc_sleep(e);
	if (obj)
		return owned_by(cache, obj, "bma_cache_alloc_flags");
	uncharge_none(cache);
	return NULL;
}

void *bma__owned_alloc_on(struct bma_cache *cache, const struct bma__numa_want *want)
{
	struct bma__engine *e = cache->engine;
	struct bma__refusal why;
	void *obj;

	if (want->sleep && !bma__pressure_charge(cache->record, e->charge)) {
		errno = bma__forbidden() ? EDEADLK : EDQUOT;
		return refused(cache);
	}
	if (!want->sleep && !bma__stock_charge(cache->record, e->charge, &why))
		return refused(cache);
	obj = bma__cache_alloc_on(e, want);
	if (obj)
		return owned_by(cache, obj, "bma_cache_alloc_node");
	if (bma__forbidden()) {
		bma__stock_uncharge(cache->record, e->charge);
		return NULL;
	}
	uncharge_none(cache);
	return want->sleep ? NULL : bma__cache_none(e);
}

static void count_given(struct bma__record *r)
{
	if (r->live)
		bma__percpu_add_slow(r->live, UINT64_MAX);
}

void bma__owned_deferred(struct bma_cache *cache, const void *obj)
{
	struct bma__record *r = bma__owner_look(cache->engine, obj, "bma_cache_free_rcu");

	/* One that is pinned is counted until it is free. */
	if (r)
		count_given(r);
}

static MANY void free_parts(struct bma__engine *e, struct bma__record *r, void *obj)
{
	bma__rseq_clear();
	count_given(r);
	bma__cache_given(e, obj);
	bma__stock_uncharge(r, e->charge);
}

/* By whoever: also one that is pinned, which stays. */
static MANY void free_any(struct bma__engine *e, void *obj)
{
	struct bma__record *r = bma__owner_take(e, obj, "bma_cache_free");

	if (bma__likely(r))
		free_parts(e, r, obj);
	else
		bma__rseq_clear();
}

void bma__owned_free(struct bma_cache *cache, void *obj)
{
	free_any(cache->engine, obj);
}

void bma__owned_free_pinned(struct bma__pin_object *freed)
{
	struct bma__pin_object *next;

	for (; freed; freed = next) {
		struct bma__engine *e = freed->engine;

		next = freed->next;
		bma__owner_set(e, freed->obj, freed->rcu ? freed->owner : 0);
		/* One grace period has passed. After another it is dealt with as any other. */
		if (freed->rcu) {
			count_given(freed->record);
			bma__limbo_free(e, freed->obj, true);
		} else {
			free_parts(e, freed->record, freed->obj);
		}
		bma__pin_done(freed);
	}
}

#if BMA__RSEQ_HAS_PAIRS
static MANY void free_half(struct bma__engine *e, struct bma__record *r)
{
	bma__rseq_clear();
	bma__stock_uncharge(r, e->charge);
}
#endif

/*
 * Mostly an object is freed by the handle that allocated it. That is tested, not looked up: then where the stock is follows from the handle, and does not wait for what
 * the slab says.
 */
HOT void bma__owned_free_quick(struct bma_cache *cache, void *obj)
{
	struct bma__engine *e = cache->engine;
#if BMA__RSEQ_HAS_PAIRS
	struct bma__record *r = cache->record;

	if (bma__unlikely(!bma__owner_drop(e, obj, cache->owner)))
		goto others;
	BMA__GIVE_PUSH(e, CHARGE, r, obj, slow, half);
	return;
half:
	free_half(e, r);
	return;
slow:
	free_parts(e, r, obj);
	return;
others:
#endif
	free_any(e, obj);
}
