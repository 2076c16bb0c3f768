/* SPDX-License-Identifier: MIT */
/*
 * Drain: taking magazines out of slots that other CPUs use. May sleep, under bma__drain_lock.
 *
 * The hot calls commit by a plain store to the very word that the drainer wants, so an exchange alone can
 * be lost under such a store. Protocol for the slot of an index:
 *  1. freeze = 1, fence. From here on no change commits to the slot: what ran was aborted or had ended, what
 *     begins sees freeze.
 *  2. word = exchange(loaded, 0), fence, read loaded again. 0: the tape is ours, for every hot call and step
 *     that had read the old word has ended before the exchange or been aborted, and a 0 can only be
 *     replaced by a change, which is frozen out. Not 0: a hot call's store came after the exchange; the
 *     owner goes on with the tape as if nothing had been; try again, a bounded number of times.
 *  3. generation + 1 (for a change that was worked out before all this), freeze = 0, with release.
 * The fence is membarrier for rseq to *all* CPUs: a concurrency id moves from CPU to CPU.
 * If the second fence fails, the word is put back by compare-and-exchange from 0. That is sound
 * without a fence: a store in flight was computed from the very word that is put back, and it is
 * the only one that can be in flight, since whoever takes its CPU aborts it first.
 *
 * Invariant: after step 2 a tape is in the drainer's hand or in the slot, never both.
 * A guest slot is taken by its owner word; one that is owned is left alone.
 */
#ifndef BMA_CACHE_DRAIN_H
#define BMA_CACHE_DRAIN_H

#include "engine.h"

extern struct bma__lock bma__drain_lock;

/*
 * Move all magazines of all slots of @e to @out. Returns 0, or a negative errno if the fence
 * failed; then some were left where they were.
 */
int bma__drain_slots(struct bma__engine *e, struct bma__mag_stack *out);

/* Bring the objects of a magazine in hand home, and let the magazine go. May sleep. */
void bma__drain_magazine(struct bma__engine *e, uintptr_t word);

#endif /* BMA_CACHE_DRAIN_H */
