/* SPDX-License-Identifier: MIT */
/*
 * Chunks: 2 MiB of address space of one node, cut into 32 units of 64 KiB. A slab is an aligned run
 * of 1, 2, 4, ... 32 units.
 *
 * The page map finds the slab of any address in two loads after the chunk's own table: root by the
 * bits above 34, leaf by the bits above 21. Leaves and chunk descriptors are never freed, so a
 * look-up may race with anything; a foreign address finds NULL and is never dereferenced.
 *
 * Tags: beside that map a flat one, two bytes for each unit of the address space, of which only what is used is
 * ever touched: one load tells whose an address is. It is written with the slab, before an object of it is
 * handed out, so whoever was given the object reads the tag that belongs to it. Where so much address space cannot be had the page map
 * serves.
 *
 * Per-CPU chunks have copies of their 2 MiB, one after the other, for as many slots as there are and one more; the page map
 * and the tags know the first copy only, which stands for all.
 *
 * Ordering: MO-25 (docs/memory-ordering.md).
 */
#ifndef BMA_PAGE_CHUNK_H
#define BMA_PAGE_CHUNK_H

#include "node.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BMA__CHUNK_SHIFT 21
#define BMA__CHUNK_SIZE ((size_t)1 << BMA__CHUNK_SHIFT)
#define BMA__UNIT_SHIFT 16
#define BMA__UNIT_SIZE ((size_t)1 << BMA__UNIT_SHIFT)
#define BMA__CHUNK_UNITS 32
/* Tags are those of the owners, and: */
#define BMA__TAG_NONE 0u
#define BMA__TAG_LARGE 0xffffu
/* Bits of the addresses that a program has by default. */
#if defined(__x86_64__)
#define BMA__ADDRESS_BITS 47
#else
#define BMA__ADDRESS_BITS 48
#endif
#define BMA__TAGS ((size_t)1 << (BMA__ADDRESS_BITS - BMA__UNIT_SHIFT))

struct bma__slab;

/* Once, before the first chunk: map the tags, and say how many copies a per-CPU chunk has. */
void bma__chunk_init(uint32_t copies);

/*
 * Take @units (a power of two up to 32) units on @node, or of one of the kinds of node.h. May sleep.
 * Returns their address, at a multiple of their size, all zeros; or NULL.
 */
void *bma__chunk_alloc(uint32_t units, uint32_t node);

/* Give units back to their chunk; their pages go back to the system later, see purge.h. May sleep. */
void bma__chunk_free(void *addr, uint32_t units);

/* A run of pages of its own, @bytes long, with one entry in the page map: at its first unit. As the former two. */
void *bma__chunk_alloc_run(size_t bytes, uint32_t node);
void bma__chunk_free_run(void *addr, size_t bytes);

/* Say that the units at @addr are those of @slab (NULL: of none), and what their tag is. */
void bma__chunk_set_slab(void *addr, uint32_t units, struct bma__slab *slab);
void bma__chunk_set_tag(void *addr, uint32_t units, uint32_t tag);

/* The slab that @addr lies in, or NULL. Any context; @addr may be any bit pattern. */
struct bma__slab *bma__chunk_slab(const void *addr);

extern _Atomic(uint16_t) *bma__chunk_tags __attribute__((visibility("hidden")));
uint32_t bma__chunk_tag_slow(const void *addr);

/* The tag of the unit that @addr lies in. Any context; @addr may be any bit pattern. */
static inline uint32_t bma__chunk_tag(const void *addr)
{
	uintptr_t unit = (uintptr_t)addr >> BMA__UNIT_SHIFT;

	if (bma__unlikely(!bma__chunk_tags))
		return bma__chunk_tag_slow(addr);
	return unit < BMA__TAGS ? atomic_load_explicit(&bma__chunk_tags[unit], memory_order_relaxed)
				: BMA__TAG_NONE;
}

/* Bytes mapped, and of these in slabs. */
uint64_t bma__chunk_mapped(void);
uint64_t bma__chunk_used(void);

extern struct bma__lock bma__chunk_lock;

#endif /* BMA_PAGE_CHUNK_H */
