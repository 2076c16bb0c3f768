/* SPDX-License-Identifier: MIT */
/*
 * Deferring: what may only be done after an RCU grace period. defer.c is the only file that knows
 * liburcu.
 *
 * What waits: sealed magazines (their objects go to the depot) and slabs that were given up (their
 * pages go to the system). The grace-period thread takes all that waits, *then* waits for one grace
 * period for all of it, then lets it go. What comes meanwhile is the next batch. Ordering: sealing
 * is the release of the stack's push, giving up a slab is under the purge lock; the taking
 * (acquire) strictly precedes synchronize_rcu, so every reader that could have seen an object
 * before it was freed is waited for.
 * The thread does nothing else, so a reader that never leaves stops no refill.
 */
#ifndef BMA_CACHE_DEFER_H
#define BMA_CACHE_DEFER_H

#include "engine.h"

extern struct bma__lock bma__purge_lock;

/* A magazine in hand whose objects wait for a grace period. May sleep. */
void bma__defer_seal(struct bma__engine *e, uintptr_t word);
/* A slab that was given up. Under its engine's lock. May sleep. */
void bma__defer_slab(struct bma__slab *slab);

/* Is the caller inside a read section of the flavour? Then it must not wait. */
bool bma__defer_reading(void);
/* Does anything wait? */
bool bma__defer_pending(void);
/*
 * Wait until all that waits now has been let go. May sleep, outside any read section. Returns false, at
 * once, where no grace period can end (bma__defer_frozen).
 */
bool bma__defer_flush(void);
/* Is this a child of fork in which liburcu can end no grace period? */
bool bma__defer_frozen(void);

/* Start, stop and join the thread, as for the worker. May sleep. */
int bma__defer_start(void);
void bma__defer_stop(void);

uint64_t bma__defer_grace_periods(void);
uint64_t bma__defer_bytes(void);

/*
 * Fork. Before: let a running grace period end, at most @ns, and keep the next from beginning; then in the
 * parent, and in the child.
 */
void bma__defer_before_fork(uint64_t ns);
void bma__defer_after_fork_parent(void);
void bma__defer_after_fork_child(void);

#endif /* BMA_CACHE_DEFER_H */
