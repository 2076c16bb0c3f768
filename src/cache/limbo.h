/* SPDX-License-Identifier: MIT */
/*
 * Limbo: where deferred frees gather.
 *
 * Each slot has a second word, limbo, for the magazine that fills with objects passed to free_rcu. The hot call
 * pushes there as a plain free pushes on the tape. The slow half puts a new magazine with its first object in the
 * place of a full one, or of none, by one change of the word, and seals the full one (defer.h). No generation is
 * needed for that: nothing but the word itself was read, and a full magazine is full whatever happened meanwhile.
 * A slot that may not be changed now: a guest slot serves. None to be had: the object is sealed in a magazine of
 * its own; no magazine: it is parked.
 *
 * Flush: at least every flush time the grace-period thread seals what fills, in all slots of all engines of its
 * flavour, by the protocol of drain.h with a flag of its own: freeze, fence, exchange, fence, look again. A slot
 * whose hot calls store in between keeps its magazine and is tried again; plain allocs and frees never notice.
 *
 * Invariant: limbo_slots >= limbo words that are not 0. It is raised before a word changes from 0, and lowered
 * after one was taken. A bit of "filling" is set after it was raised and before the word changes; the flush clears
 * the bit before it reads limbo_slots, and sets it again while that is not 0. So a magazine that fills is looked
 * at again within a flush time, wherever the thread that put it there is stopped.
 */
#ifndef BMA_CACHE_LIMBO_H
#define BMA_CACHE_LIMBO_H

#include "flavor.h"

/* Free an object after a grace period: the slow half; @heedless: of a call that does not wait at the limit. Any context. */
void bma__limbo_free(struct bma__engine *e, void *obj, bool heedless);
/*
 * Seal what fills in the slots of all engines of @f. May sleep. Returns how many slots were left alone because
 * somebody is just working on them, or a negative errno if a fence failed.
 */
int bma__limbo_flush(struct bma__flavor *f);
/* The same until none of @e was left alone. Returns 0 or a negative errno. */
int bma__limbo_flush_fully(struct bma__engine *e);
/* Objects in limbo words: a snapshot. */
uint64_t bma__limbo_count(const struct bma__engine *e);
/* Is what waits at its limit? */
bool bma__limbo_full(const struct bma__engine *e);
/* In a child of fork: limbo_slots anew. */
void bma__limbo_recount(struct bma__engine *e);

#endif /* BMA_CACHE_LIMBO_H */
