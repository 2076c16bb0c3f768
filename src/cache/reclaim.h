/* SPDX-License-Identifier: MIT */
/* Reclaim: bringing everything home that no user holds. May sleep. */
#ifndef BMA_CACHE_RECLAIM_H
#define BMA_CACHE_RECLAIM_H

#include "engine.h"

/*
 * Drain slots and depot of @e into its slabs, and give its free slabs up to the grace period. @patience:
 * nanoseconds to wait for calls that have a magazine in hand; UINT64_MAX: as long as it takes. @away (may
 * be NULL): objects that are not at home after. Returns 0, or a negative errno if some slots could not be
 * drained because the fence failed; nothing is lost then.
 */
int bma__reclaim_drain(struct bma__engine *e, uint64_t patience, uint64_t *away);

/*
 * The same for an engine that nobody uses, with what waits for a grace period. @live: objects that users
 * hold. Returns 0; -EDEADLK if something waits, or a destructor is to be run, and the caller is in a read
 * section; a negative errno as above. It is dying after, so that nothing is carved any more: bma__reclaim_undo()
 * if it is used on.
 */
int bma__reclaim_engine(struct bma__engine *e, uint64_t *live);

/* It is used on. */
void bma__reclaim_undo(struct bma__engine *e);
/* In a child of fork, for every engine: it is used on if who was about to give it up is not there. Under the lock of orphans. */
void bma__reclaim_after_fork(struct bma__engine *e);

/*
 * Seal what is parked, under a ticket: between bitmap and magazine objects are in hand, and a barrier waits for them.
 * Returns as bma__park_collect().
 */
int bma__reclaim_parked(struct bma__engine *e);

/*
 * Wait until what was freed after a grace period before this call can be reused. Returns 0, -EDEADLK in a read
 * section, -ETIMEDOUT where no grace period can end, or what a refused fence said.
 */
int bma__reclaim_barrier(struct bma__engine *e);

/* An engine that nobody was ever given: what it has is in its depot, so no fence can refuse. */
void bma__reclaim_unused(struct bma__engine *e);

/*
 * The same as bma__reclaim_engine() for an engine that nobody uses, without waiting for a grace period, and at most @patience ns for calls in
 * progress. It is dying: the worker carves nothing more for it. Returns whether all is at home: then it can be freed.
 */
bool bma__reclaim_orphan(struct bma__engine *e, uint64_t patience);

/* All engines, then the magazines; without waiting for the grace period. */
void bma__reclaim_all(void);

#endif /* BMA_CACHE_RECLAIM_H */
