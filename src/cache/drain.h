/* SPDX-License-Identifier: MIT */
/*
 * Drain: taking magazines out of slots that other CPUs use. May sleep, under bma__drain_lock.
 *
 * The hot calls commit by a plain store to the very word that the drainer wants, so an exchange alone can
 * be lost under such a store. Protocol for the slots of many indices, a batch:
 *  1. freeze = 1 in each, fence. From here on no change commits to these slots: what ran was aborted or had
 *     ended, what begins sees freeze.
 *  2. word = exchange(loaded, 0) in each that is not yet ours, one fence, read loaded again in each. 0: the
 *     tape is ours, for every hot call and step that had read the old word has ended before the exchange or
 *     been aborted, and a 0 can only be replaced by a change, which is frozen out. Not 0: a hot call's store
 *     came after the exchange; the owner goes on with the tape as if nothing had been; try again those,
 *     a bounded number of times.
 *  3. For each that is ours the limit is closed (budget.h). For all: generation + 1 (for a change that was worked
 *     out before all this), freeze = 0, both with release.
 * The fence is membarrier for rseq to *all* CPUs: a concurrency id moves from CPU to CPU.
 * One fence serves all slots that were exchanged before it: what is said of a slot is about stores to that slot
 * between its exchange and its second look, and a fence lies between the two, whatever is done to others
 * meanwhile. So a batch costs 1 + (1 to 8) fences, and not as many for each slot.
 * If a fence of step 2 fails, the words of that try are put back by compare-and-exchange from 0; what earlier tries
 * took stays ours. That is sound without a fence: a store in flight was computed from the very word that is put
 * back, and it is the only one that can be in flight, since whoever takes its CPU aborts it first.
 *
 * Invariant: after step 2 a tape is in the drainer's hand or in the slot, never both. After step 3 a slot of limit 0
 * holds nothing, and what is worked out from now on reads the limit that step 3 left, or a later one.
 * A guest slot is taken by its owner word; one that is owned is left alone.
 */
#ifndef BMA_CACHE_DRAIN_H
#define BMA_CACHE_DRAIN_H

#include "engine.h"

extern struct bma__lock bma__drain_lock;

/*
 * Move all magazines of the slots of @e to @out, each with the plane that it comes from (bma__mag_plane()), and close the
 * limits of these slots. @chosen: bitmap of planes, NULL: all. Returns 0, or a negative errno if the fence
 * failed; then some were left where they were.
 */
int bma__drain_slots(struct bma__engine *e, const uint64_t *chosen, struct bma__mag_stack *out);

/* Bring home all that is in magazines of @stack, in hand, and let these go. Returns how many there were. May sleep. */
uint32_t bma__drain_stack(struct bma__engine *e, struct bma__mag_stack *stack);

/* Bring the objects of a magazine in hand, @node as in bma__engine_home(), home, and let the magazine go. May sleep. */
void bma__drain_magazine(struct bma__engine *e, uint32_t node, uintptr_t word);

#endif /* BMA_CACHE_DRAIN_H */
