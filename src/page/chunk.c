/* SPDX-License-Identifier: MIT */
/*
 * Chunks and the page map, see chunk.h.
 *
 * The map is written under bma__chunk_lock and read by anybody. Writers publish with release,
 * readers acquire: whoever sees a slab pointer sees the slab's fields.
 */
#include "page.h"

#include <string.h>
#include <sys/mman.h>

#define LEAF_SHIFT 34
#define LEAF_ENTRIES ((size_t)1 << (LEAF_SHIFT - BMA__CHUNK_SHIFT))
#define ROOT_ENTRIES ((size_t)1 << (BMA__ADDRESS_BITS - LEAF_SHIFT))
#define ALL_UNITS UINT32_MAX

struct chunk {
	char *base;    /* NULL: the descriptor is spare */
	uint32_t free; /* bit set: unit is free */
	uint32_t node;
	struct chunk *next, *prev; /* [lock] in the node's list while some unit is free */
	_Atomic(struct bma__slab *) slab[BMA__CHUNK_UNITS];
};

struct leaf {
	_Atomic(struct chunk *) chunk[LEAF_ENTRIES];
};

struct bma__lock bma__chunk_lock = BMA__LOCK_INIT(BMA__RANK_CHUNK);
static _Atomic(struct leaf *) root[ROOT_ENTRIES];
_Atomic(uint16_t) *bma__chunk_tags;
static uint32_t copies;				     /* of a per-CPU chunk */
static struct chunk *partial[BMA__CHUNK_PERCPU + 1]; /* chunks with a free unit */
static uint32_t empty_chunks[BMA__CHUNK_PERCPU + 1];
static struct chunk *spare_descriptors;
static _Atomic uint64_t mapped, used;

static void list_add(struct chunk *c)
{
	c->prev = NULL;
	c->next = partial[c->node];
	if (c->next)
		c->next->prev = c;
	partial[c->node] = c;
}

static void list_del(struct chunk *c)
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

static struct chunk *chunk_of(uintptr_t addr)
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

static void map_set(uintptr_t addr, struct chunk *c)
{
	struct leaf *leaf = leaf_of(addr, true);

	atomic_store_explicit(&leaf->chunk[addr >> BMA__CHUNK_SHIFT & (LEAF_ENTRIES - 1)], c,
			      memory_order_release);
}

static struct chunk *descriptor(void)
{
	struct chunk *c = spare_descriptors;

	if (c)
		spare_descriptors = c->next;
	else
		c = bma__meta_alloc(sizeof *c);
	return c;
}

static uint32_t copies_of(uint32_t node)
{
	return node == BMA__CHUNK_PERCPU ? copies : 1;
}

/* Placement is a wish: a container may refuse it, and the memory is good all the same. */
static void place(char *base, size_t bytes, uint32_t node)
{
	if (node != BMA__CHUNK_PERCPU) {
		bma__os.bind(base, bytes, bma__topo.os_node[node]);
		return;
	}
	for (uint32_t i = 0; i < copies; i++)
		bma__os.bind(base + i * BMA__CHUNK_SIZE, BMA__CHUNK_SIZE,
			     bma__topo.os_node[bma__topo_node(i)]);
}

/* A mapping of @bytes, known to the page map. */
static struct chunk *chunk_map(size_t bytes, uint32_t node)
{
	struct chunk *c = descriptor();
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
	return c;
}

static struct chunk *chunk_new(uint32_t node)
{
	struct chunk *c = chunk_map(copies_of(node) * BMA__CHUNK_SIZE, node);

	if (!c)
		return NULL;
	c->free = ALL_UNITS;
	list_add(c);
	empty_chunks[node]++;
	return c;
}

static uint32_t run_mask(uint32_t units, uint32_t first)
{
	return units == BMA__CHUNK_UNITS ? ALL_UNITS : ((1u << units) - 1) << first;
}

/* First aligned run of @units free units, or BMA__CHUNK_UNITS. */
static uint32_t find_run(uint32_t free, uint32_t units)
{
	uint32_t first;

	for (first = 0; first < BMA__CHUNK_UNITS; first += units) {
		uint32_t mask = run_mask(units, first);

		if ((free & mask) == mask)
			break;
	}
	return first;
}

static char *take_run(uint32_t units, uint32_t node)
{
	struct chunk *c;
	uint32_t first = BMA__CHUNK_UNITS;

	for (c = partial[node]; c; c = c->next) {
		first = find_run(c->free, units);
		if (first < BMA__CHUNK_UNITS)
			break;
	}
	if (!c) {
		c = chunk_new(node);
		if (!c)
			return NULL;
		first = 0;
	}
	if (c->free == ALL_UNITS)
		empty_chunks[node]--;
	c->free &= ~run_mask(units, first);
	if (!c->free)
		list_del(c);
	atomic_fetch_add_explicit(&used, copies_of(node) * units * BMA__UNIT_SIZE,
				  memory_order_relaxed);
	return c->base + first * BMA__UNIT_SIZE;
}

void *bma__chunk_alloc(uint32_t units, uint32_t node)
{
	char *p;

	bma__lock_take(&bma__chunk_lock);
	p = take_run(units, node);
	bma__lock_drop(&bma__chunk_lock);
	return p;
}

/* Returns whether the system took it. */
static bool chunk_unmap(struct chunk *c, size_t bytes)
{
	if (bma__os.unmap(c->base, bytes))
		return false;
	map_set((uintptr_t)c->base, NULL);
	atomic_fetch_sub_explicit(&mapped, bytes, memory_order_relaxed);
	c->base = NULL;
	return true;
}

static void spare(struct chunk *c)
{
	c->next = spare_descriptors;
	spare_descriptors = c;
}

/* Wholly free, and not the only one. */
static void give_up(struct chunk *c)
{
	if (!chunk_unmap(c, copies_of(c->node) * BMA__CHUNK_SIZE))
		return;
	list_del(c);
	empty_chunks[c->node]--;
	spare(c);
}

/* The next owner relies on zeros. */
static void clear(char *addr, size_t bytes)
{
	if (bma__os.advise(addr, bytes, MADV_DONTNEED))
		memset(addr, 0, bytes);
}

void bma__chunk_free(void *addr, uint32_t units)
{
	struct chunk *c = chunk_of((uintptr_t)addr);
	uint32_t first = (uint32_t)((uintptr_t)addr >> BMA__UNIT_SHIFT) & (BMA__CHUNK_UNITS - 1);

	/* Before the units can be taken again. */
	for (uint32_t i = 0; i < copies_of(c->node); i++)
		clear((char *)addr + i * BMA__CHUNK_SIZE, units * BMA__UNIT_SIZE);
	bma__lock_take(&bma__chunk_lock);
	if (!c->free)
		list_add(c);
	c->free |= run_mask(units, first);
	atomic_fetch_sub_explicit(&used, copies_of(c->node) * units * BMA__UNIT_SIZE,
				  memory_order_relaxed);
	if (c->free == ALL_UNITS && ++empty_chunks[c->node] > 1)
		give_up(c);
	bma__lock_drop(&bma__chunk_lock);
}

void *bma__chunk_alloc_run(size_t bytes, uint32_t node)
{
	struct chunk *c;

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
	struct chunk *c = chunk_of((uintptr_t)addr);

	bma__lock_take(&bma__chunk_lock);
	atomic_fetch_sub_explicit(&used, bytes, memory_order_relaxed);
	if (chunk_unmap(c, bytes))
		spare(c);
	bma__lock_drop(&bma__chunk_lock);
}

void bma__chunk_set_slab(void *addr, uint32_t units, struct bma__slab *slab)
{
	struct chunk *c = chunk_of((uintptr_t)addr);
	uint32_t first = (uint32_t)((uintptr_t)addr >> BMA__UNIT_SHIFT) & (BMA__CHUNK_UNITS - 1);

	for (uint32_t i = first; i < first + units; i++)
		atomic_store_explicit(&c->slab[i], slab, memory_order_release);
}

struct bma__slab *bma__chunk_slab(const void *addr)
{
	struct chunk *c = chunk_of((uintptr_t)addr);
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
}

uint64_t bma__chunk_mapped(void)
{
	return atomic_load_explicit(&mapped, memory_order_relaxed);
}

uint64_t bma__chunk_used(void)
{
	return atomic_load_explicit(&used, memory_order_relaxed);
}
