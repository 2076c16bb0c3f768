/* SPDX-License-Identifier: MIT */
/*
 * Idle slots: what they hold goes back to the depot, and what their limits cost back to the budget.
 *
 * The worker, or bma_poll(), looks at all slots each quarter of BMA_CONF=idle_ms. A slot whose loaded word and generation were the
 * same for as long as idle_ms is idle. So are those of a CPU that went offline. If the budget refused somebody since the last
 * look, then also a slot that has more than its first limit and has made no exchange with the depot (its generation is the same)
 * is one to take from: it lives by less, and who misses room gets some.
 *
 * Invariant: a slot that was taken for idle and is not has lost nothing but the way of a magazine to the depot and back; the
 * drain is the one that may meet a slot in use (drain.h). Each magazine is in a slot, in the drainer's hand under the drain lock, or in
 * a depot: who wants them all takes that lock (reclaim.c).
 *
 * Ordering: marks are written and read by one thread at a time, who has "looking", taken with acquire and given back with release
 * (MO-43). The words that they are made of are read relaxed: they are guesses.
 */
#ifndef BMA_CACHE_IDLE_H
#define BMA_CACHE_IDLE_H

#include <stdint.h>

/*
 * Look at all slots, if it is time to. May sleep. Returns after how many nanoseconds to look next; UINT64_MAX: when a slot is
 * charged for, which wakes the worker.
 */
uint64_t bma__idle_look(void);

/* In a child of fork: who was looking may not be there. */
void bma__idle_after_fork(void);

#endif /* BMA_CACHE_IDLE_H */
