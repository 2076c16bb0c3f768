/* SPDX-License-Identifier: MIT */
/* Reserves, see reserve.h. Ordering: MO-12 (docs/memory-ordering.md). */
#include "cache.h"

#include <errno.h>

static size_t bytes(size_t n)
{
	return sizeof(struct bma_reserve) + n * sizeof(void *);
}

static void count_reserves(struct bma_reserve *r, uint32_t delta)
{
	atomic_fetch_add_explicit(&r->engine->reserves, delta, memory_order_release);
	if (r->record)
		atomic_fetch_add_explicit(&r->record->reserves, delta, memory_order_release);
}

/* Who has a payer is charged for what stands in reserve. */
static void *get(struct bma_reserve *r, int *rc)
{
	struct bma__engine *e = r->engine;
	uint64_t refused = atomic_load_explicit(&e->refused, memory_order_relaxed);
	void *obj;

	if (r->owner && !bma__pressure_charge(r->record, e->charge)) {
		*rc = -EDQUOT;
		return NULL;
	}
	obj = bma__refill_object(e);
	if (!obj)
		*rc = atomic_load_explicit(&e->refused, memory_order_relaxed) != refused ? -EDQUOT
											 : -ENOMEM;
	if (r->owner && obj)
		bma__owner_set(e, obj, r->owner);
	else if (r->owner)
		bma__stock_uncharge(r->record, e->charge);
	return obj;
}

static void put(struct bma_reserve *r, void *obj)
{
	if (r->owner) {
		struct bma__record *payer = bma__owner_take(r->engine, obj, "bma_reserve_destroy");

		if (!payer)
			return;
		bma__stock_uncharge(payer, r->engine->charge);
	}
	bma__slot_free(r->engine, obj);
}

int bma__reserve_fill(struct bma_reserve *r)
{
	int rc = 0;

	for (size_t i = 0; i < r->n; i++) {
		void *obj, *none = NULL;

		if (atomic_load_explicit(&r->entry[i], memory_order_relaxed))
			continue;
		obj = get(r, &rc);
		if (!obj)
			continue;
		atomic_fetch_add_explicit(&r->engine->reserved, 1, memory_order_relaxed);
		if (atomic_compare_exchange_strong_explicit(
			    &r->entry[i], &none, obj, memory_order_release, memory_order_relaxed)) {
			atomic_fetch_add_explicit(&r->fills, 1, memory_order_release);
			continue;
		}
		/* Another refill was first. */
		atomic_fetch_sub_explicit(&r->engine->reserved, 1, memory_order_relaxed);
		put(r, obj);
	}
	return rc;
}

struct bma_reserve *bma__reserve_create(struct bma_cache *cache, size_t n, int *rc)
{
	struct bma_reserve *r = bma__meta_alloc(bytes(n));

	*rc = -ENOMEM;
	if (!r)
		return NULL;
	r->engine = cache->engine;
	r->record = cache->record;
	r->owner = cache->owner;
	r->n = n;
	count_reserves(r, 1);
	*rc = bma__reserve_fill(r);
	if (*rc) {
		bma__reserve_destroy(r);
		return NULL;
	}
	return r;
}

/* One round over all entries. */
static void *take_once(struct bma_reserve *r)
{
	size_t start = atomic_load_explicit(&r->cursor, memory_order_relaxed);

	for (size_t i = 0; i < r->n; i++) {
		size_t at = (start + i) % r->n;
		void *obj;

		if (!atomic_load_explicit(&r->entry[at], memory_order_relaxed))
			continue;
		obj = atomic_exchange_explicit(&r->entry[at], NULL, memory_order_acquire);
		if (!obj)
			continue;
		atomic_store_explicit(&r->cursor, (at + 1) % r->n, memory_order_relaxed);
		atomic_fetch_sub_explicit(&r->engine->reserved, 1, memory_order_relaxed);
		return obj;
	}
	return NULL;
}

void *bma__reserve_take(struct bma_reserve *r)
{
	uint64_t fills;
	void *obj;

	do {
		fills = atomic_load_explicit(&r->fills, memory_order_acquire);
		obj = take_once(r);
		atomic_thread_fence(
			memory_order_acquire); /* the scan's loads come before the next */
	} while (!obj && atomic_load_explicit(&r->fills, memory_order_relaxed) != fills);
	return obj;
}

void bma__reserve_destroy(struct bma_reserve *r)
{
	void *obj;

	while ((obj = bma__reserve_take(r)))
		put(r, obj);
	count_reserves(r, UINT32_MAX); /* one less */
	bma__meta_free(r, bytes(r->n));
}
