/* SPDX-License-Identifier: MIT */
/*
 * The page allocator below the slab caches: chunks of 2 MiB, aligned, each cut into slabs of one
 * order. One for all caches.
 *
 * The descriptors of a chunk's slabs are an array at its start, found from an object by masks and
 * shifts. So it is in the kernel, where a slab's descriptor lies over the struct page of its first
 * page: the slab itself is all objects, and eight of 4 KiB fill one of 32 KiB.
 */
#ifndef BENCH_KMEM_CACHE_PAGES_H
#define BENCH_KMEM_CACHE_PAGES_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_BITS 12
#define CHUNK_BITS 21
#define CHUNK_BYTES ((uintptr_t)1 << CHUNK_BITS)
/* Slabs of 4 KiB to 32 KiB: the order is the binary logarithm of their pages. */
#define MAX_ORDER 3
/* A descriptor has a cache line to itself. */
#define SLAB_BITS 6

/**
 * struct slab - The descriptor of a slab.
 * @state: the slab's own freelist and counters, see internal.h
 * @next: of a CPU's partial list, the node's list or the chunk's list of free slabs
 * @prev: of the node's list
 * @used: it is not on its chunk's list of free slabs; under the page allocator's lock
 */
struct slab {
	_Alignas(1 << SLAB_BITS) _Atomic uint64_t state;
	struct slab *next;
	struct slab *prev;
	unsigned int used;
};

_Static_assert(sizeof(struct slab) == 1 << SLAB_BITS, "the array of descriptors");

/** pages_alloc - Returns: a slab of 1 << @shift bytes of any content, or NULL. */
struct slab *pages_alloc(unsigned int shift);

/** pages_free - The slab has no user any more. */
void pages_free(struct slab *slab);

/** pages_trim - Give chunks without slabs, and the pages of free slabs, back to the system. */
void pages_trim(void);

/** slab_of - The descriptor of the slab that @p is in. */
static inline struct slab *slab_of(const void *p, unsigned int shift)
{
	uintptr_t at = (uintptr_t)p, in = at & (CHUNK_BYTES - 1);

	return (struct slab *)((at - in) + (in >> shift << SLAB_BITS));
}

/** slab_start - Where the slab's first object is. */
static inline uintptr_t slab_start(const struct slab *slab, unsigned int shift)
{
	uintptr_t at = (uintptr_t)slab, in = at & (CHUNK_BYTES - 1);

	return (at - in) + (in >> SLAB_BITS << shift);
}

#endif /* BENCH_KMEM_CACHE_PAGES_H */
