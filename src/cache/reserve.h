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
	uint16_t owner;		    /* the handle's place in the engine's table; 0: it has none */
	struct bma__record *record; /* the handle's, or NULL */
	size_t n;
	_Atomic uint64_t fills; /* entries ever filled */
	_Atomic size_t cursor;	/* where the next taker begins; a hint */
	_Atomic(void *) entry[];
};

/* NULL and a negative errno in @rc. May sleep. */
struct bma_reserve *bma__reserve_create(struct bma_cache *cache, size_t n, int *rc);
void *bma__reserve_take(struct bma_reserve *r);
/* Fill empty entries. Returns 0, or -ENOMEM or -EDQUOT if some stay empty. May sleep. */
int bma__reserve_fill(struct bma_reserve *r);
void bma__reserve_destroy(struct bma_reserve *r);

#endif /* BMA_CACHE_RESERVE_H */
