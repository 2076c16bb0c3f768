/* SPDX-License-Identifier: MIT */
/* Reserves, see reserve.h. */
#include "cache.h"

static size_t bytes(size_t n)
{
	return sizeof(struct bma_reserve) + n * sizeof(void *);
}

static void count_reserves(struct bma__engine *e, int delta)
{
	bma__lock_take(&bma__registry_lock);
	e->reserves += (uint32_t)delta;
	bma__lock_drop(&bma__registry_lock);
}

/* An object by whatever may sleep. */
static void *object(struct bma__engine *e)
{
	void *obj = bma__slot_alloc(e);
	uintptr_t word;

	if (obj)
		return obj;
	word = bma__refill_magazine(e, bma__topo_node_now());
	return word ? bma__slot_alloc_from(e, word) : NULL;
}

size_t bma__reserve_fill(struct bma_reserve *r)
{
	size_t missing = 0;

	for (size_t i = 0; i < r->n; i++) {
		void *obj, *none = NULL;

		if (atomic_load_explicit(&r->entry[i], memory_order_relaxed))
			continue;
		obj = object(r->engine);
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
		bma__slot_free(r->engine, obj);
	}
	return missing;
}

struct bma_reserve *bma__reserve_create(struct bma__engine *e, size_t n)
{
	struct bma_reserve *r = bma__meta_alloc(bytes(n));

	if (!r)
		return NULL;
	r->engine = e;
	r->n = n;
	count_reserves(e, 1);
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
		bma__slot_free(r->engine, obj);
	count_reserves(r->engine, -1);
	bma__meta_free(r, bytes(r->n));
}
