/* SPDX-License-Identifier: MIT */
/* Reclaim: bringing everything home that no user holds. May sleep. */
#ifndef BMA_CACHE_RECLAIM_H
#define BMA_CACHE_RECLAIM_H

#include "engine.h"

/*
 * Drain slots and depot of @e into its slabs, and give its free slabs up to the grace period.
 * @patience: nanoseconds to wait for calls that have a magazine in hand. Returns objects that are
 * not at home after.
 */
uint64_t bma__reclaim_drain(struct bma__engine *e, uint64_t patience);

/* The same for an engine that nobody uses, waiting as long as it takes. Returns live objects. */
uint64_t bma__reclaim_engine(struct bma__engine *e);

/* All engines, then the magazines; without waiting for the grace period. */
void bma__reclaim_all(void);

#endif /* BMA_CACHE_RECLAIM_H */
