/* SPDX-License-Identifier: MIT */
/*
 * Reserves: an array of object pointers. An entry is taken by one atomic exchange and filled by one compare
 * and exchange from empty.
 *
 * Invariant: an object is in at most one entry. n takers find n objects: each looks at all entries
 * in turn, and an entry that it finds empty was emptied by another taker, who has one. An entry that
 * was filled behind a taker's back makes it look once more.
 * Ordering: filling is a release, taking an acquire.
 */
#ifndef BMA_CACHE_RESERVE_H
#define BMA_CACHE_RESERVE_H

#include "engine.h"

struct bma_reserve {
	struct bma__engine *engine;
	struct bma_cache *cache; /* the handle */
	size_t n;
	_Atomic uint64_t fills; /* entries ever filled */
	_Atomic size_t cursor;	/* where the next taker begins; a hint */
	_Atomic(void *) entry[];
};

struct bma_reserve *bma__reserve_create(struct bma_cache *cache, size_t n);
void *bma__reserve_take(struct bma_reserve *r);
/* Fill empty entries; returns how many stay empty for want of memory. May sleep. */
size_t bma__reserve_fill(struct bma_reserve *r);
void bma__reserve_destroy(struct bma_reserve *r);

#endif /* BMA_CACHE_RESERVE_H */
