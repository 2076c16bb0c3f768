/* SPDX-License-Identifier: MIT */
/*
 * Planes: the regions that slots stand in, one per slot index and, after these, one per guest slot.
 * An engine keeps a bitmap of the planes in which it ever had something, so that a drain does not
 * touch the others.
 *
 * Ordering: MO-16 (docs/memory-ordering.md).
 */
#ifndef BMA_CACHE_PLANE_H
#define BMA_CACHE_PLANE_H

#include "engine.h"
#include "fuzz.h"

#define BMA__PLANE_WORD 64u

/* Words of a bitmap of @planes. */
static inline uint32_t bma__plane_words(uint32_t planes)
{
	return (planes + BMA__PLANE_WORD - 1) / BMA__PLANE_WORD;
}

/* Where the guest slots of the calling thread begin to be looked for: 0 .. guests - 1. */
static inline uint32_t bma__plane_guest_hash(void)
{
	uint64_t h = (uint64_t)bma__cpu_thread() * 0x9e3779b97f4a7c15u;

	if (bma__unlikely(bma__fuzz_slot))
		return bma__fuzz_slot - 1;
	return (uint32_t)(h >> 40) & (bma__cpu.guests - 1);
}

/* Does the calling thread have a slot by index? */
static inline bool bma__plane_indexed(void)
{
	return bma__cpu.mode != BMA_MODE_GUEST && bma__rseq_registered();
}

/* The plane that the caller would use first. A hint: the thread may be moved at once. */
static inline uint32_t bma__plane_home(void)
{
	if (bma__plane_indexed())
		return bma__rseq_read(bma__cpu.index);
	return bma__cpu.slots + bma__plane_guest_hash();
}

/* Mark a plane as used. Any context; before the first change to the slot. */
static inline void bma__plane_use(struct bma__engine *e, uint32_t plane)
{
	_Atomic uint64_t *word = &e->used[plane / BMA__PLANE_WORD];
	uint64_t bit = 1ull << plane % BMA__PLANE_WORD;

	if (bma__unlikely(!(atomic_load_explicit(word, memory_order_relaxed) & bit)))
		atomic_fetch_or_explicit(word, bit, memory_order_seq_cst);
}

/* The first used plane at or after @plane, or e->planes. */
static inline uint32_t bma__plane_next(const struct bma__engine *e, uint32_t plane)
{
	for (uint32_t w = plane / BMA__PLANE_WORD; w * BMA__PLANE_WORD < e->planes; w++) {
		uint64_t bits = atomic_load_explicit(&e->used[w], memory_order_acquire);

		if (w == plane / BMA__PLANE_WORD)
			bits &= ~0ull << plane % BMA__PLANE_WORD;
		if (bits)
			return w * BMA__PLANE_WORD + (uint32_t)__builtin_ctzll(bits);
	}
	return e->planes;
}

#define bma__plane_for_each(e, plane)                                                              \
	for ((plane) = bma__plane_next((e), 0); (plane) < (e)->planes;                             \
	     (plane) = bma__plane_next((e), (plane) + 1))

/* Planes in use. */
static inline uint32_t bma__plane_count(const struct bma__engine *e)
{
	uint32_t n = 0, plane;

	bma__plane_for_each (e, plane)
		n++;
	return n;
}

#endif /* BMA_CACHE_PLANE_H */
