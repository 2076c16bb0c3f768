/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU objects, and counters made of them. An object is one of an engine whose slabs have copies (page/chunk.h); all that
 * happens to it happens to its first copy, and its engine looks at each call (engine.h), to clear the copies when it is allocated.
 */
#ifndef BMA_CACHE_PERCPU_H
#define BMA_CACHE_PERCPU_H

#include "engine.h"

#include <bma/percpu.h>

/* Of the debug flags, those that look at the first copy alone and leave it as it is. */
#define BMA__PERCPU_CHECKS (BMA_CACHE_DEBUG | BMA_CACHE_TRACK | BMA_CACHE_QUARANTINE)

/* Once: where the index is, and how many slots there are. */
void bma__percpu_init(void);
/*
 * All copies of a fresh or recycled object become zero. What is zero is only read, so that no memory is used for a CPU that
 * never wrote. Any context.
 */
void bma__percpu_clear(const struct bma__engine *e, void *obj);

/* How many copies something has that is a per-CPU object, or is not. */
static inline uint64_t bma__percpu_copies(bool percpu)
{
	return percpu ? bma__percpu.slots + 1 : 1;
}

/* A copy that is known to exist. */
static inline void *bma__percpu_at(const void *obj, uint64_t copy)
{
	return (void *)((uintptr_t)obj + (uintptr_t)(copy << BMA__PERCPU_SHIFT));
}

/* As bma_percpu_sum_u64(). Any context. */
uint64_t bma__percpu_sum(const uint64_t *word);

/* A 64-bit word per CPU, of the library's own; NULL: no memory. May sleep. */
uint64_t *bma__percpu_counter(void);
void bma__percpu_counter_free(uint64_t *counter);

#endif /* BMA_CACHE_PERCPU_H */
