/* SPDX-License-Identifier: MIT */
/* Large objects of heaps, see heap.h. Ordering: MO-26 (docs/memory-ordering.md). */
#include "cache.h"

#include <errno.h>

struct bma__lock bma__heap_lock = BMA__LOCK_INIT(BMA__RANK_HEAP);

/* Freed and not yet taken out of their heaps: pushed by anybody, taken as a whole, so no entry is popped under a pusher's eyes. */
static _Atomic(struct bma__slab *) freed;

static _Atomic uint64_t all_bytes;

uint64_t bma__heap_large_bytes(void)
{
	return atomic_load_explicit(&all_bytes, memory_order_relaxed);
}

static void list_add(struct bma_heap *h, struct bma__slab *s)
{
	s->prev = NULL;
	s->next = h->large;
	if (s->next)
		s->next->prev = s;
	h->large = s;
}

static void list_del(struct bma_heap *h, struct bma__slab *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		h->large = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

/* A record that only counts pays for nothing. */
static struct bma__record *payer_of(const struct bma_heap *h)
{
	struct bma__record *r = h->record;

	return r && atomic_load_explicit(&r->group, memory_order_relaxed) ? r : bma__record_root;
}

void *bma__heap_large_alloc(struct bma_heap *h, size_t size, uint32_t node, bool strict, int *rc)
{
	struct bma__record *payer = payer_of(h);
	uint64_t bytes = bma__align_up(size, BMA_PAGE);
	struct bma__slab *s;
	void *p;

	if (!bma__pressure_charge_large(payer, bytes)) {
		*rc = -EDQUOT;
		return NULL;
	}
	p = bma__large_alloc(size, h->engine[0], h, node, strict);
	s = p ? bma__large_slab(p) : NULL;
	if (!s) {
		bma__stock_uncharge_slab(payer, bytes, true);
		if (strict)
			atomic_fetch_add_explicit(&bma__nodes[node].refused, 1,
						  memory_order_relaxed);
		*rc = -ENOMEM;
		return NULL;
	}
	s->payer = payer;
	bma__lock_take(&bma__heap_lock);
	list_add(h, s);
	atomic_fetch_add_explicit(&h->large_live, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->large_bytes, bma__large_bytes(s), memory_order_relaxed);
	atomic_fetch_add_explicit(&all_bytes, bma__large_bytes(s), memory_order_relaxed);
	bma__lock_drop(&bma__heap_lock);
	bma__profile_taken(NULL, p, bma__large_bytes(s), h->name);
	return p;
}

bool bma__heap_large_free(struct bma__slab *s)
{
	struct bma__slab *top = atomic_load_explicit(&freed, memory_order_relaxed);

	if (!bma__large_drop(s))
		return false;
	bma__profile_given(s->base);
	do {
		bma__large_set_link(s, top);
	} while (!atomic_compare_exchange_weak_explicit(&freed, &top, s, memory_order_release,
							memory_order_relaxed));
	/* Not by the engine, which may be gone once it was pushed. */
	bma__worker_wake();
	return true;
}

static void let_go(struct bma_heap *h, struct bma__slab *s)
{
	list_del(h, s);
	atomic_fetch_sub_explicit(&h->large_bytes, bma__large_bytes(s), memory_order_relaxed);
	atomic_fetch_sub_explicit(&all_bytes, bma__large_bytes(s), memory_order_relaxed);
	bma__defer_slab(s);
	atomic_fetch_sub_explicit(&h->large_live, 1, memory_order_release);
}

bool bma__heap_freed(void)
{
	return atomic_load_explicit(&freed, memory_order_relaxed) != NULL;
}

void bma__heap_collect(void)
{
	struct bma__slab *s;

	bma__lock_take(&bma__heap_lock);
	s = atomic_exchange_explicit(&freed, NULL, memory_order_acquire);
	while (s) {
		struct bma__slab *next = bma__large_link(s);

		let_go(bma__large_heap(s), s);
		s = next;
	}
	bma__lock_drop(&bma__heap_lock);
}

void bma__heap_large_release(struct bma_heap *h)
{
	struct bma__slab *s;

	bma__lock_take(&bma__heap_lock);
	while ((s = h->large)) {
		if (bma__large_drop(s))
			bma__profile_given(s->base);
		let_go(h, s);
	}
	bma__lock_drop(&bma__heap_lock);
}
