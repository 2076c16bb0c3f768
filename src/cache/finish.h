/* SPDX-License-Identifier: MIT */
/*
 * Destructors: run once for each object before its slab's pages go back, and, where a cache asks for it, each
 * time an object was freed, before it can be handed out again.
 *
 * What is to be finished has had its grace period: the grace-period thread hands it over and does not run user
 * code itself. The worker runs it, or, where there is none, bma_poll() or whoever waits for it; never two
 * threads at a time for one engine, and with no lock held.
 *
 * Invariant: an object of a cache with a destructor reaches the depot (recycled) or the system (with its slab)
 * through here only; "finishing" is a lock that nobody waits for: who finds it taken leaves the work to who
 * has it, who looks again after he has given it up. He works in rounds: takes all that is due, then finishes it.
 */
#ifndef BMA_CACHE_FINISH_H
#define BMA_CACHE_FINISH_H

#include "debug.h"

/* Run the destructor of an object that is nobody's. */
static inline void bma__finish_object(struct bma__engine *e, void *obj)
{
	bma__debug_begin(e, obj);
	e->dtor(obj, e->ctx);
	bma__debug_end(e, obj);
}

/* A slab whose grace period is over: to be finished first, or to the system at once. Under the purge lock. */
void bma__finish_slab_later(struct bma__slab *slab);
/* Run what is to be finished. May sleep. Returns how many magazines and slabs that were. */
uint32_t bma__finish_run(struct bma__engine *e);
/* Wait until all that is due now has been finished; with @slabs also slabs whose grace period is to come. May sleep. */
void bma__finish_wait(struct bma__engine *e, bool slabs);
/* For callers that poll: run what is due, or see that the worker does and nap. May sleep. */
void bma__finish_nap(struct bma__engine *e);
/* In a child of fork: put back what another thread was at, and count anew. */
void bma__finish_recount(struct bma__engine *e);

#endif /* BMA_CACHE_FINISH_H */
