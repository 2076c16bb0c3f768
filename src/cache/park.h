/* SPDX-License-Identifier: MIT */
/*
 * Parking: how a free ends when there is no magazine to be had. It needs no memory and cannot fail.
 *
 * Invariant: parks - collects >= number of bits set in parked bitmaps. A free counts its object in
 * parks before it sets the bit; the worker counts it in collects after it took the bit. While they
 * differ the worker looks again at least every 10 ms, so an object is collected even if the thread
 * that parked it is stopped right after it set the bit, or before it could wake anybody. Ordering:
 * the bit is set by an atomic OR with release, the free's last access to the slab, and taken with
 * acquire. What is collected goes through a grace period, so that one bitmap serves plain and
 * deferred frees.
 *
 * A child of fork counts the bits anew, for what a thread that is not there had counted it never marked. What the forking thread
 * itself was parking when a handler forked stands in a list of its own; the child counts that, too, unless its bit is set, and
 * the call does not count it then. Left: a handler that forks after
 * the bit was set and before the call left the list, when somebody has collected the object already, has it counted once too often.
 */
#ifndef BMA_CACHE_PARK_H
#define BMA_CACHE_PARK_H

#include "engine.h"

/* Park an object for @call. Any context. Aborts if it is parked already or is no object of @e. */
void bma__park(struct bma__engine *e, void *obj, const char *call);

/* Objects parked and not collected. */
static inline uint64_t bma__park_count(struct bma__engine *e)
{
	uint64_t collects = atomic_load_explicit(&e->collects, memory_order_acquire);

	return bma__count_read(&e->parks) - collects;
}

/*
 * Move parked objects to sealed magazines. May sleep. Returns how many magazines were sealed, or -ENOMEM if one could
 * not be had.
 */
int bma__park_collect(struct bma__engine *e);

/* In a child of fork, with the engine's lock held. */
void bma__park_recount(struct bma__engine *e);

#endif /* BMA_CACHE_PARK_H */
