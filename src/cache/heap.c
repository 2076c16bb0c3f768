/* SPDX-License-Identifier: MIT */
/* The making and the end of heaps, see heap.h. */
#include "cache.h"

#include <errno.h>
#include <stdio.h>

const uint16_t bma__heap_kernel_sizes[BMA__HEAP_KERNEL_SIZES] = {16,  32,  64,	 96,   128, 192,
								 256, 512, 1024, 2048, 4096};
/* A guarded object takes pages. */
#define GUARDED_MOST 4096u

static bool is_private(const struct bma_heap *h)
{
	return h->flags & BMA__HEAP_OWN;
}

/* The size of the objects that serve class @c; 0: none. */
static size_t size_for(uint64_t flags, uint32_t c)
{
	size_t size = bma__heap_class_size(c);

	if (flags & BMA_HEAP_PERCPU && size > BMA_PERCPU_SIZE_MAX)
		return 0;
	if (!(flags & BMA_HEAP_KERNEL_CLASSES))
		return size;
	for (size_t i = 0; i < BMA__HEAP_KERNEL_SIZES; i++) {
		if (bma__heap_kernel_sizes[i] >= size)
			return bma__heap_kernel_sizes[i];
	}
	return 0;
}

static struct bma__engine *engine_for(struct bma_heap *h, const struct bma__heap_attr *attr,
				      size_t size, int *rc)
{
	char name[BMA__NAME_MAX + 24];
	struct bma__engine_attr ea = {
		.name = name,
		.size = size,
		.align = size % 16 ? 8 : 16,
		.flags = attr->cache_flags,
		.flavor = attr->flavor,
		.numa = attr->numa,
	};

	if (size > GUARDED_MOST)
		ea.flags &= ~(uint64_t)BMA_CACHE_GUARD;
	if (!is_private(h)) {
		if (attr->payer)
			ea.flags |= BMA__CACHE_OWNED;
		snprintf(name, sizeof name, "heap-%zu", size);
		return bma__merge_get(&ea, rc);
	}
	snprintf(name, sizeof name, "%.20s-%zu", attr->name, size);
	ea.heap = h;
	ea.record = h->record;
	return bma__engine_create(&ea, rc);
}

/* Handles of one engine have one owner. */
static bool pay(struct bma_heap *h, uint32_t c, struct bma__engine *e)
{
	struct bma_cache *cache = &h->handle[c].cache;
	uint32_t i = h->engines - 1;

	if (!e || !(e->flags & BMA__CACHE_OWNED))
		return true;
	if (!bma__record_engine(h->record, i))
		return bma__merge_pay(e, cache, h->record, i);
	cache->owner = h->record->place[i].owner;
	cache->quick = e->quick && !h->record->live;
	return true;
}

static void set_handle(struct bma_heap *h, uint32_t c, struct bma__engine *e)
{
	struct bma_cache *cache = &h->handle[c].cache;

	cache->engine = e;
	cache->heap = h;
	cache->class = (uint16_t)c;
	cache->record = is_private(h) ? NULL : h->record;
	if (e)
		cache->head = bma__engine_head(e);
	else
		cache->head.slots = bma__engine_no_slots();
	if (cache->record || !e)
		cache->head.mask = 0;
	cache->plain = cache->head.mask ? e : NULL;
}

static void drop_engine(struct bma_heap *h, struct bma__engine *e)
{
	if (is_private(h))
		bma__engine_free(e);
	else
		bma__merge_put(e);
}

/* Of a heap that nobody was given. */
static void unmake(struct bma_heap *h)
{
	for (uint32_t i = 0; i < h->engines; i++) {
		if (is_private(h))
			bma__reclaim_unused(h->engine[i]);
		drop_engine(h, h->engine[i]);
	}
	bma__record_close(h->record);
	bma__meta_free(h, sizeof *h);
}

static int fill(struct bma_heap *h, const struct bma__heap_attr *attr)
{
	struct bma__engine *e = NULL;
	int rc = 0;

	for (uint32_t c = 0; c < BMA__HEAP_CLASSES; c++) {
		size_t size = size_for(attr->flags, c);

		if (!size) {
			e = NULL;
		} else if (!e || e->size != size) {
			e = engine_for(h, attr, size, &rc);
			if (!e)
				return rc;
			h->engine[h->engines++] = e;
		}
		set_handle(h, c, e);
		if (!pay(h, c, e))
			return -ENOSPC;
	}
	return 0;
}

static bool make_record(struct bma_heap *h, const struct bma__heap_attr *attr, int *rc)
{
	struct bma__record_attr ra = {
		.group = attr->payer,
		.stocked = attr->payer && !is_private(h),
		.counted = attr->flags & BMA_HEAP_COUNT,
	};

	if (ra.stocked)
		ra.places = BMA__HEAP_CLASSES;
	if (is_private(h) && !ra.group)
		ra.group = bma__group_handle(bma__group_root);
	if (!ra.group && !ra.counted)
		return true;
	h->record = bma__record_make(&ra, rc);
	return h->record;
}

/* The record has references of its own on the engines that name it. */
static void keep_places(struct bma_heap *h)
{
	struct bma__engine *e;

	if (!h->record)
		return;
	bma__lock_take(&bma__merge_lock);
	for (uint32_t i = 0; (e = bma__record_engine(h->record, i)); i++)
		e->refs++;
	bma__lock_drop(&bma__merge_lock);
}

struct bma_heap *bma__heap_create(const struct bma__heap_attr *attr, int *rc)
{
	struct bma_heap *h = bma__meta_alloc(sizeof *h);

	*rc = -ENOMEM;
	if (!h)
		return NULL;
	h->flags = attr->flags;
	h->numa = attr->numa;
	snprintf(h->name, sizeof h->name, "%s", attr->name);
	if (!make_record(h, attr, rc)) {
		bma__meta_free(h, sizeof *h);
		return NULL;
	}
	*rc = fill(h, attr);
	keep_places(h);
	if (!*rc)
		return h;
	unmake(h);
	return NULL;
}

static uint32_t reserves(struct bma_heap *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->engines && is_private(h); i++)
		n += atomic_load_explicit(&h->engine[i]->reserves, memory_order_acquire);
	if (!is_private(h) && h->record)
		n += atomic_load_explicit(&h->record->reserves, memory_order_acquire);
	return n;
}

/* All engines, but none is freed. @live: objects of classes that users have. */
static int reclaim(struct bma_heap *h, uint64_t *live)
{
	int rc = 0;

	*live = 0;
	for (uint32_t i = 0; i < h->engines && !rc; i++) {
		uint64_t n = 0;

		rc = bma__reclaim_engine(h->engine[i], &n);
		*live += n;
	}
	return rc;
}

static int busy(struct bma_heap *h, uint64_t live)
{
	uint32_t n = reserves(h);

	live += atomic_load_explicit(&h->large_live, memory_order_acquire);
	if (!live && !n)
		return 0;
	bma__log_verbose("bma_heap_destroy: heap \"%s\": %llu objects live, %u reserves", h->name,
			 (unsigned long long)live, n);
	for (uint32_t i = 0; i < h->engines && is_private(h); i++)
		bma__track_leaks(h->engine[i]);
	return -EBUSY;
}

static int destroy_private(struct bma_heap *h)
{
	uint64_t live = 0;
	int rc = reserves(h) ? busy(h, 0) : reclaim(h, &live);

	if (!rc && !(h->flags & BMA_HEAP_DESTROY_ALL))
		rc = busy(h, live);
	for (uint32_t i = 0; i < h->engines; i++) {
		if (rc)
			bma__reclaim_undo(h->engine[i]);
		else
			bma__engine_abandon(h->engine[i]);
	}
	return rc;
}

int bma__heap_destroy(struct bma_heap *h)
{
	int rc = 0;

	bma__heap_collect();
	if (is_private(h))
		rc = destroy_private(h);
	else
		rc = busy(h, h->record && h->record->live ? bma__percpu_sum(h->record->live) : 0);
	if (rc)
		return rc;
	bma__heap_large_release(h);
	for (uint32_t i = 0; i < h->engines; i++)
		drop_engine(h, h->engine[i]);
	bma__record_close(h->record);
	bma__meta_free(h, sizeof *h);
	return 0;
}

void bma__heap_refuse(struct bma_heap *h)
{
	atomic_fetch_add_explicit(&h->too_large, 1, memory_order_relaxed);
}

bool bma__heap_frees(struct bma_heap *h, const struct bma_cache *place)
{
	const struct bma__engine *a = bma__heap_handle(h, place->class)->engine;
	const struct bma__engine *b = place->engine;

	if (!a || a == b)
		return a;
	return !is_private(h) && b && b->shared && a->size == b->size &&
	       !((a->flags ^ b->flags) & ~(BMA__CACHE_OWNED | BMA__CACHE_PROFILE)) &&
	       a->flavor == b->flavor;
}
