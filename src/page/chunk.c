/* SPDX-License-Identifier: MIT */
/*
 * Chunks and the page map, see chunk.h.
 *
 * The map is written under bma__chunk_lock and read by anybody. Writers publish with release,
 * readers acquire: whoever sees a slab pointer sees the slab's fields.
 *
 * Ordering: MO-2 (docs/memory-ordering.md).
 */
#include "page.h"

#include "units.h"

#include <string.h>
#include <sys/mman.h>

#define LEAF_SHIFT 34
#define LEAF_ENTRIES ((size_t)1 << (LEAF_SHIFT - BMA__CHUNK_SHIFT))
#define ROOT_ENTRIES ((size_t)1 << (BMA__ADDRESS_BITS - LEAF_SHIFT))

struct leaf {
	_Atomic(struct bma__chunk *) chunk[LEAF_ENTRIES];
};

struct bma__lock bma__chunk_lock = BMA__LOCK_INIT(BMA__RANK_CHUNK);
static _Atomic(struct leaf *) root[ROOT_ENTRIES];
_Atomic(uint16_t) *bma__chunk_tags;
static uint32_t copies;				    /* of a per-CPU chunk */
static struct bma__chunk *partial[BMA__NODE_KINDS]; /* chunks with a free unit */
uint32_t bma__chunk_empty[BMA__NODE_KINDS];
static struct bma__chunk *spare_descriptors;
static _Atomic uint64_t mapped, used;

static void list_add(struct bma__chunk *c)
{
	c->prev = NULL;
	c->next = partial[c->node];
	if (c->next)
		c->next->prev = c;
	partial[c->node] = c;
}

static void list_del(struct bma__chunk *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		partial[c->node] = c->next;
	if (c->next)
		c->next->prev = c->prev;
}

static struct leaf *leaf_of(uintptr_t addr, bool make)
{
	_Atomic(struct leaf *) *entry = &root[addr >> LEAF_SHIFT];
	struct leaf *leaf = atomic_load_explicit(entry, memory_order_acquire);

	if (leaf || !make)
		return leaf;
	leaf = bma__os.map(sizeof *leaf);
	if (leaf)
		atomic_store_explicit(entry, leaf, memory_order_release);
	return leaf;
}

static struct bma__chunk *chunk_of(uintptr_t addr)
{
	struct leaf *leaf;

	if (addr >> BMA__ADDRESS_BITS)
		return NULL;
	leaf = leaf_of(addr, false);
	if (!leaf)
		return NULL;
	return atomic_load_explicit(&leaf->chunk[addr >> BMA__CHUNK_SHIFT & (LEAF_ENTRIES - 1)],
				    memory_order_acquire);
}

static void map_set(uintptr_t addr, struct bma__chunk *c)
{
	struct leaf *leaf = leaf_of(addr, true);

	atomic_store_explicit(&leaf->chunk[addr >> BMA__CHUNK_SHIFT & (LEAF_ENTRIES - 1)], c,
			      memory_order_release);
}

static struct bma__chunk *descriptor(void)
{
	struct bma__chunk *c = spare_descriptors;

	if (c)
		spare_descriptors = c->next;
	else
		c = bma__meta_alloc(sizeof *c);
	return c;
}

static uint32_t copies_of(uint32_t node)
{
	return node == BMA__NODE_PERCPU ? copies : 1;
}

uint32_t bma__chunk_copies(const struct bma__chunk *c)
{
	return copies_of(c->node);
}

/* Placement is a wish: a container may refuse it, and the memory is good all the same. Concurrency ids are at home nowhere. */
static void place(char *base, size_t bytes, uint32_t node)
{
	if (node != BMA__NODE_PERCPU) {
		bma__node_bind(base, bytes, node);
		return;
	}
	for (uint32_t i = 0; i + 1 < copies && bma__cpu.mode == BMA_MODE_RSEQ_CPU; i++)
		bma__node_bind(base + i * BMA__CHUNK_SIZE, BMA__CHUNK_SIZE, bma__topo_node(i));
}

/* A mapping of @bytes, known to the page map. */
static struct bma__chunk *chunk_map(size_t bytes, uint32_t node)
{
	struct bma__chunk *c = descriptor();
	void *base;

	if (!c)
		return NULL;
	base = bma__os_map_aligned(bytes, BMA__CHUNK_SIZE);
	if (!base || (uintptr_t)base >> BMA__ADDRESS_BITS || !leaf_of((uintptr_t)base, true)) {
		if (base)
			bma__os.unmap(base, bytes);
		c->next = spare_descriptors;
		spare_descriptors = c;
		return NULL;
	}
	if (bma__topo.nodes > 1)
		place(base, bytes, node);
	if (bma__env.thp)
		bma__os.advise(base, bytes, MADV_HUGEPAGE);
	c->base = base;
	c->node = node;
	map_set((uintptr_t)base, c);
	atomic_fetch_add_explicit(&mapped, bytes, memory_order_relaxed);
	BMA__PROBE(chunk_map, base, bytes, node);
	return c;
}

void bma__chunk_put(struct bma__chunk *c, uint32_t mask)
{
	if (!c->free)
		list_add(c);
	c->free |= mask;
	if (c->free == BMA__UNITS_ALL)
		bma__chunk_empty[c->node]++;
}

void bma__chunk_take(struct bma__chunk *c, uint32_t mask)
{
	if (c->free == BMA__UNITS_ALL)
		bma__chunk_empty[c->node]--;
	c->free &= ~mask;
	if (!c->free)
		list_del(c);
}

static struct bma__chunk *chunk_new(uint32_t node)
{
	struct bma__chunk *c = chunk_map(copies_of(node) * BMA__CHUNK_SIZE, node);

	if (!c)
		return NULL;
	c->free = c->dirty = 0;
	bma__chunk_put(c, BMA__UNITS_ALL);
	return c;
}

uint32_t bma__chunk_run_mask(uint32_t units, uint32_t first)
{
	return units == BMA__CHUNK_UNITS ? BMA__UNITS_ALL : ((1u << units) - 1) << first;
}

uint32_t bma__chunk_find_run(uint32_t mask, uint32_t units)
{
	uint32_t first;

	for (first = 0; first < BMA__CHUNK_UNITS; first += units) {
		uint32_t run = bma__chunk_run_mask(units, first);

		if ((mask & run) == run)
			break;
	}
	return first;
}

/* A chunk with @units free ones in a row from *@first on: dirty ones, else any, else of a new chunk. */
static struct bma__chunk *find(uint32_t units, uint32_t node, uint32_t *first)
{
	struct bma__chunk *c = bma__purge_find(node, units, first);

	if (c)
		return c;
	for (c = partial[node]; c; c = c->next) {
		*first = bma__chunk_find_run(c->free, units);
		if (*first < BMA__CHUNK_UNITS)
			return c;
	}
	*first = 0;
	return chunk_new(node);
}

/* Those of the units @mask that are not zeros; they are the caller's. */
static void clear(const struct bma__chunk *c, uint32_t mask)
{
	for (; mask; mask &= mask - 1) {
		char *unit = c->base + (size_t)__builtin_ctz(mask) * BMA__UNIT_SIZE;

		for (uint32_t i = 0; i < copies_of(c->node); i++)
			memset(unit + i * BMA__CHUNK_SIZE, 0, BMA__UNIT_SIZE);
	}
}

void *bma__chunk_alloc(uint32_t units, uint32_t node)
{
	struct bma__chunk *c;
	uint32_t first, mask = 0, dirty = 0;

	bma__lock_take(&bma__chunk_lock);
	c = find(units, node, &first);
	if (c) {
		mask = bma__chunk_run_mask(units, first);
		dirty = c->dirty & mask;
		if (dirty)
			bma__purge_drop(c, dirty);
		bma__chunk_take(c, mask);
		atomic_fetch_add_explicit(&used, copies_of(node) * units * BMA__UNIT_SIZE,
					  memory_order_relaxed);
	}
	bma__lock_drop(&bma__chunk_lock);
	if (!c)
		return NULL;
	clear(c, dirty);
	return c->base + first * BMA__UNIT_SIZE;
}

/* Returns whether the system took it. */
static bool chunk_unmap(struct bma__chunk *c, size_t bytes)
{
	if (bma__os.unmap(c->base, bytes))
		return false;
	BMA__PROBE(chunk_unmap, c->base, bytes, c->node);
	map_set((uintptr_t)c->base, NULL);
	atomic_fetch_sub_explicit(&mapped, bytes, memory_order_relaxed);
	c->base = NULL;
	return true;
}

static void spare(struct bma__chunk *c)
{
	c->next = spare_descriptors;
	spare_descriptors = c;
}

void bma__chunk_hide(struct bma__chunk *c)
{
	map_set((uintptr_t)c->base, NULL);
}

void bma__chunk_show(struct bma__chunk *c)
{
	map_set((uintptr_t)c->base, c);
}

void bma__chunk_gone(struct bma__chunk *c)
{
	atomic_fetch_sub_explicit(&mapped, copies_of(c->node) * BMA__CHUNK_SIZE,
				  memory_order_relaxed);
	c->base = NULL;
	spare(c);
}

void bma__chunk_free(void *addr, uint32_t units)
{
	struct bma__chunk *c = chunk_of((uintptr_t)addr);
	uint32_t first = (uint32_t)((uintptr_t)addr >> BMA__UNIT_SHIFT) & (BMA__CHUNK_UNITS - 1);
	uint32_t mask = bma__chunk_run_mask(units, first);

	bma__lock_take(&bma__chunk_lock);
	bma__chunk_put(c, mask);
	bma__purge_add(c, mask);
	atomic_fetch_sub_explicit(&used, copies_of(c->node) * units * BMA__UNIT_SIZE,
				  memory_order_relaxed);
	bma__lock_drop(&bma__chunk_lock);
	if (!bma__env.purge_ns)
		bma__purge_all();
}

void *bma__chunk_alloc_run(size_t bytes, uint32_t node)
{
	struct bma__chunk *c;

	bma__lock_take(&bma__chunk_lock);
	c = chunk_map(bytes, node);
	if (c) {
		c->free = 0;
		atomic_fetch_add_explicit(&used, bytes, memory_order_relaxed);
	}
	bma__lock_drop(&bma__chunk_lock);
	return c ? c->base : NULL;
}

void bma__chunk_free_run(void *addr, size_t bytes)
{
	struct bma__chunk *c = chunk_of((uintptr_t)addr);

	bma__lock_take(&bma__chunk_lock);
	atomic_fetch_sub_explicit(&used, bytes, memory_order_relaxed);
	if (chunk_unmap(c, bytes))
		spare(c);
	bma__lock_drop(&bma__chunk_lock);
}

void bma__chunk_set_slab(void *addr, uint32_t units, struct bma__slab *slab)
{
	struct bma__chunk *c = chunk_of((uintptr_t)addr);
	uint32_t first = (uint32_t)((uintptr_t)addr >> BMA__UNIT_SHIFT) & (BMA__CHUNK_UNITS - 1);

	for (uint32_t i = first; i < first + units; i++)
		atomic_store_explicit(&c->slab[i], slab, memory_order_release);
}

struct bma__slab *bma__chunk_slab(const void *addr)
{
	struct bma__chunk *c = chunk_of((uintptr_t)addr);
	uint32_t unit = (uint32_t)((uintptr_t)addr >> BMA__UNIT_SHIFT) & (BMA__CHUNK_UNITS - 1);

	return c ? atomic_load_explicit(&c->slab[unit], memory_order_acquire) : NULL;
}

void bma__chunk_set_tag(void *addr, uint32_t units, uint32_t tag)
{
	uintptr_t first = (uintptr_t)addr >> BMA__UNIT_SHIFT;

	for (uintptr_t i = first; bma__chunk_tags && i < first + units && i < BMA__TAGS; i++)
		atomic_store_explicit(&bma__chunk_tags[i], (uint16_t)tag, memory_order_release);
}

uint32_t bma__chunk_tag_slow(const void *addr)
{
	const struct bma__slab *slab = bma__chunk_slab(addr);

	return slab ? slab->geo.tag : BMA__TAG_NONE;
}

void bma__chunk_init(uint32_t n)
{
	copies = n;
	bma__chunk_tags = bma__os.map(BMA__TAGS * sizeof(uint16_t));
	bma__purge_init();
}

uint64_t bma__chunk_mapped(void)
{
	return atomic_load_explicit(&mapped, memory_order_relaxed);
}

uint64_t bma__chunk_used(void)
{
	return atomic_load_explicit(&used, memory_order_relaxed);
}
