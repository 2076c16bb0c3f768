/* SPDX-License-Identifier: MIT */
/*
 * Settle: what an engine that nobody uses for a while keeps is made small, and idle magazines give their pages back.
 *
 * After many objects were freed the few that the depot keeps may lie in as many slabs, one in each, and none of these can go. So when
 * nothing went in or out of the depot for an eighth of purge_ms (BMA_CONF) the stock is renewed, once: as many objects from slabs that have several
 * free ones, and the old ones go home. Slabs that are wholly free go, the last one too.
 *
 * A stock that was made deeper because calls found nothing, or because objects were freed by other slots, is so as long as it is used: two looks later
 * it has its first depth, and twice as long after each time.
 *
 * What slots hold does the same harm. Where more than 1 MiB, and a sixteenth, of slabs is held beyond what would do, slots are drained, too, in use or not,
 * and the depot gets as much in their place. Live objects may hold slabs, too, and nobody can move these: while a drain does not help the
 * next one comes after twice as long, up to 64 times purge_ms.
 *
 * Invariant: the new stock is carved before any of the old is taken out, and one goes in before one comes out; so a call that looks for
 * one meanwhile finds one. What is in hand is where a child of fork finds it. All are under a ticket, and not of an engine that is dying. One renews at a
 * time.
 */
#ifndef BMA_CACHE_SETTLE_H
#define BMA_CACHE_SETTLE_H

#include "engine.h"

/*
 * Look, at most every quarter of purge_ms; @now of bma__os_now(). May sleep. Returns the nanoseconds after which to call again, UINT64_MAX: nothing
 * has to settle.
 */
uint64_t bma__settle_tick(uint64_t now);

/* In a child of fork, before depots are counted: what was in hand is in the depot. */
void bma__settle_after_fork(struct bma__engine *e);

/* Whatever it is in use for: slots are emptied, the depot brought down to its target, of few slabs. May sleep. */
void bma__settle_now(struct bma__engine *e);

#endif /* BMA_CACHE_SETTLE_H */
