/* SPDX-License-Identifier: MIT */
/*
 * Chunks: 2 MiB of address space of one node, cut into 32 units of 64 KiB. A slab is an aligned run
 * of 1, 2, 4, ... 32 units.
 *
 * The page map finds the slab of any address in two loads after the chunk's own table: root by the
 * bits above 34, leaf by the bits above 21. Leaves and chunk descriptors are never freed, so a
 * look-up may race with anything; a foreign address finds NULL and is never dereferenced.
 */
#ifndef BMA_PAGE_CHUNK_H
#define BMA_PAGE_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BMA__CHUNK_SHIFT 21
#define BMA__CHUNK_SIZE ((size_t)1 << BMA__CHUNK_SHIFT)
#define BMA__UNIT_SHIFT 16
#define BMA__UNIT_SIZE ((size_t)1 << BMA__UNIT_SHIFT)
#define BMA__CHUNK_UNITS 32

struct bma__slab;

/*
 * Take @units (a power of two up to 32) units on @node. May sleep.
 * Returns their address, at a multiple of their size, all zeros; or NULL.
 */
void *bma__chunk_alloc(uint32_t units, uint32_t node);

/*
 * Give units back to their chunk and their pages to the system; a chunk that is wholly free is
 * unmapped unless it is the only such one of its node. May sleep.
 */
void bma__chunk_free(void *addr, uint32_t units);

/* Say that the units at @addr are those of @slab (NULL: of none). */
void bma__chunk_set_slab(void *addr, uint32_t units, struct bma__slab *slab);

/* The slab that @addr lies in, or NULL. Any context; @addr may be any bit pattern. */
struct bma__slab *bma__chunk_slab(const void *addr);

/* Bytes mapped, and of these in slabs. */
uint64_t bma__chunk_mapped(void);
uint64_t bma__chunk_used(void);

extern struct bma__lock bma__chunk_lock;

#endif /* BMA_PAGE_CHUNK_H */
