/* SPDX-License-Identifier: MIT */
/*
 * Deferring: what may only be done after an RCU grace period.
 *
 * What waits: sealed magazines (their objects go to the depot) and slabs that were given up (their
 * pages go to the system). Each flavour in use has a grace-period thread. It takes all that waits, *then* waits
 * for one grace period for all of it, then lets it go; what comes meanwhile is the next batch.
 * Ordering: sealing is the release of the stack's push, giving up a slab is under the purge lock; the taking
 * (acquire) strictly precedes synchronize_rcu, so every reader that could have seen an object
 * before it was freed is waited for.
 * The thread does nothing else but seal what fills (limbo.h), so a reader that never leaves stops no refill.
 *
 * When a batch begins: when enough bytes are sealed, at the latest a flush time (10 ms) after the first. Too eager
 * wake-ups cost most (a system call, a preemption and two interrupts on every CPU each), so a small batch
 * begins early only if the last one ended a while ago.
 *
 * No wake-up is lost: whoever lets something wait publishes it, fences, and reads "watching"; the thread clears
 * "watching", fences, and looks whether anything waits before it sleeps for long.
 */
#ifndef BMA_CACHE_DEFER_H
#define BMA_CACHE_DEFER_H

#include "flavor.h"

extern struct bma__lock bma__purge_lock;

/*
 * A magazine in hand whose objects wait for a grace period; they were freed in the slot of @plane. @heedless: by a call
 * that does not wait at the limit. Any context.
 */
void bma__defer_seal(struct bma__engine *e, uintptr_t word, uint32_t plane, bool heedless);
/* So many objects of @e do not wait any more, and can be reached. */
void bma__defer_uncount(struct bma__engine *e, uint64_t n);
/* Something of @f waits: see that its thread knows. Any context; after it was published. */
void bma__defer_tell(struct bma__flavor *f);
/* A slab that was given up. Under its engine's lock. May sleep. */
void bma__defer_slab(struct bma__slab *slab);

/* Does anything wait, apart from what fills in slots? */
bool bma__defer_pending(const struct bma__flavor *f);
/*
 * Between bma__rcu_begin_wait() and bma__rcu_end_wait(): wait until all that is sealed or given up now has been let
 * go. May sleep. Returns 0, or -ETIMEDOUT, at once, where no grace period can end (f->frozen).
 */
int bma__defer_wait(struct bma__flavor *f);
/* The same until one batch has ended. */
int bma__defer_wait_one(struct bma__flavor *f);

/*
 * A caller that may sleep needs objects of @e, and much of it waits: give the grace-period thread the CPU for a
 * moment. Returns whether a batch ended; false at once in a read section. So limbo is bounded without a limit,
 * as long as readers leave.
 */
bool bma__defer_help(struct bma__engine *e);

/* Start the thread of @f unless it runs or BMA_CONF says worker:off. May sleep. 0 or a negative errno. */
int bma__defer_start(struct bma__flavor *f);

/* In a child of fork: put back what a running batch was for, and count anew. */
void bma__defer_recount(struct bma__engine *e);

/* Wait a moment for slabs that were given up to go; not for the grace period of a caller that reads. May sleep. */
void bma__defer_help_slabs(struct bma__engine *e);

#endif /* BMA_CACHE_DEFER_H */
