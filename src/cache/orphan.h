/* SPDX-License-Identifier: MIT */
/*
 * Orphans: engines that no handle is left of. The worker, bma_poll() and bma_trim() give each back once all of its objects are at
 * home; nothing here waits for a grace period.
 *
 * Two kinds: shared engines whose last reference went (a new handle may come before they are given back, and then they are none any
 * more), and private ones whose cache was destroyed with BMA_CACHE_DESTROY_ASYNC.
 *
 * Invariant: an orphan is in the list, its refs are 0 and it is dying. Who looks at one marks it "reaped" under the lock: then nobody else
 * looks at it, and who wants a handle on it waits. It stays where it can be found until it is given back, so there are never two of
 * a kind: handles of one would take the other's objects.
 */
#ifndef BMA_CACHE_ORPHAN_H
#define BMA_CACHE_ORPHAN_H

#include "engine.h"

/* Under bma__merge_lock. */
void bma__orphan_add_locked(struct bma__engine *e);
/* A private engine; may be the last that is heard of it. May sleep. */
void bma__orphan_add(struct bma__engine *e);
/*
 * Give back what can be: those whose time has come, or @all. May sleep. Returns nanoseconds until the next one's time comes, UINT64_MAX:
 * there is none.
 */
uint64_t bma__orphan_reap(bool all);
/* In a child of fork: who looked at one is not there. Under the lock. */
void bma__orphan_after_fork(void);

#endif /* BMA_CACHE_ORPHAN_H */
