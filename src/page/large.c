/* SPDX-License-Identifier: MIT */
/* Large objects, see large.h. */
#include "page.h"

#include <sys/mman.h>

struct large {
	struct bma__slab slab; /* first */
	size_t bytes;
	void *heap;
	_Atomic bool live;
	struct bma__slab *link;
};

static struct large *of(const struct bma__slab *slab)
{
	return (struct large *)(uintptr_t)slab;
}

static bool get_run(struct large *l, size_t bytes, uint32_t node, bool strict)
{
	l->slab.base = bma__chunk_alloc_run(bytes, node);
	if (!l->slab.base)
		return false;
	/* Large ones are not touched unless it matters: they may be, by and by, or never. */
	if (!strict || bma__node_settle(l->slab.base, bytes, node, true))
		return true;
	bma__chunk_free_run(l->slab.base, bytes);
	return false;
}

void *bma__large_alloc(size_t bytes, void *owner, void *heap, uint32_t node, bool strict)
{
	struct large *l = bma__meta_alloc(sizeof *l);

	if (!l)
		return NULL;
	bytes = bma__align_up(bytes, BMA_PAGE);
	if (!get_run(l, bytes, node, strict)) {
		bma__meta_free(l, sizeof *l);
		return NULL;
	}
	l->slab.node = node;
	bma__node_count(node, (int64_t)bytes);
	l->slab.owner = owner;
	l->slab.geo.tag = BMA__TAG_LARGE;
	l->bytes = bytes;
	l->heap = heap;
	atomic_init(&l->live, true);
	bma__chunk_set_slab(l->slab.base, 1, &l->slab);
	bma__chunk_set_tag(l->slab.base, 1, BMA__TAG_LARGE);
	return l->slab.base;
}

struct bma__slab *bma__large_slab(const void *p)
{
	struct bma__slab *slab = bma__chunk_slab(p);

	return slab && !slab->geo.units && slab->base == p ? slab : NULL;
}

size_t bma__large_bytes(const struct bma__slab *slab)
{
	return of(slab)->bytes;
}

void *bma__large_heap(const struct bma__slab *slab)
{
	return of(slab)->heap;
}

bool bma__large_drop(struct bma__slab *slab)
{
	return atomic_exchange_explicit(&of(slab)->live, false, memory_order_acq_rel);
}

void bma__large_set_link(struct bma__slab *slab, struct bma__slab *next)
{
	of(slab)->link = next;
}

struct bma__slab *bma__large_link(const struct bma__slab *slab)
{
	return of(slab)->link;
}

void bma__large_empty(struct bma__slab *slab)
{
	if (!slab->geo.units)
		bma__os.advise(slab->base, of(slab)->bytes, MADV_DONTNEED);
}

void bma__large_destroy(struct bma__slab *slab)
{
	bma__node_count(slab->node, -(int64_t)of(slab)->bytes);
	bma__chunk_set_tag(slab->base, 1, BMA__TAG_NONE);
	bma__chunk_set_slab(slab->base, 1, NULL);
	bma__chunk_free_run(slab->base, of(slab)->bytes);
	bma__meta_free(of(slab), sizeof(struct large));
}
