/* SPDX-License-Identifier: MIT */
/*
 * Quarantine: a ring in which plainly freed objects wait until as many others were freed (BMA_CACHE_QUARANTINE), so that a
 * use after the free, or a second free, meets an object that nobody else has yet.
 *
 * A free exchanges its object with the one that stands at the next place. Invariant: an object is in one place of the ring or
 * in one caller's hand, for each exchange takes out what it overwrites. Ordering: exchanges are acq_rel, so who takes an
 * object out sees what its user wrote. Lock-free; a caller that is stopped in the middle holds up nobody.
 */
#ifndef BMA_CACHE_QUARANTINE_H
#define BMA_CACHE_QUARANTINE_H

#include "engine.h"

/* Make the ring where the flags ask for it. May sleep. Returns 0 or -ENOMEM. */
int bma__quarantine_make(struct bma__engine *e);
void bma__quarantine_free(struct bma__engine *e);
/* Put @obj in; returns the one that leaves, or NULL. Any context. */
void *bma__quarantine_put(struct bma__engine *e, void *obj);
/* Let all go to the slots. May sleep. */
void bma__quarantine_flush(struct bma__engine *e);

#endif /* BMA_CACHE_QUARANTINE_H */
