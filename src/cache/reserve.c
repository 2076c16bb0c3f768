/* SPDX-License-Identifier: MIT */
/* Reserves, see reserve.h. */
#include "cache.h"

static size_t bytes(size_t n)
{
	return sizeof(struct bma_reserve) + n * sizeof(void *);
}

static void count_reserves(struct bma_reserve *r, uint32_t delta)
{
	atomic_fetch_add_explicit(&r->engine->reserves, delta, memory_order_release);
	if (r->cache->record)
		atomic_fetch_add_explicit(&r->cache->record->reserves, delta, memory_order_release);
}

/* Who has a payer is charged for what stands in reserve. */
static void *get(struct bma_reserve *r)
{
	struct bma__engine *e = r->engine;
	void *obj;

	if (r->cache->owner && !bma__pressure_charge(r->cache->record, e->charge))
		return NULL;
	obj = bma__refill_object(e);
	if (r->cache->owner && obj)
		bma__owner_set(e, obj, r->cache->owner);
	else if (r->cache->owner)
		bma__stock_uncharge(r->cache->record, e->charge);
	return obj;
}

static void put(struct bma_reserve *r, void *obj)
{
	if (r->cache->owner) {
		struct bma__record *payer = bma__owner_take(r->engine, obj, "bma_reserve_destroy");

		if (!payer)
			return;
		bma__stock_uncharge(payer, r->engine->charge);
	}
	bma__slot_free(r->engine, obj);
}

size_t bma__reserve_fill(struct bma_reserve *r)
{
	size_t missing = 0;

	for (size_t i = 0; i < r->n; i++) {
		void *obj, *none = NULL;

		if (atomic_load_explicit(&r->entry[i], memory_order_relaxed))
			continue;
		obj = get(r);
		if (!obj) {
			missing++;
			continue;
		}
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
	return missing;
}

struct bma_reserve *bma__reserve_create(struct bma_cache *cache, size_t n)
{
	struct bma_reserve *r = bma__meta_alloc(bytes(n));

	if (!r)
		return NULL;
	r->engine = cache->engine;
	r->cache = cache;
	r->n = n;
	count_reserves(r, 1);
	if (bma__reserve_fill(r)) {
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
