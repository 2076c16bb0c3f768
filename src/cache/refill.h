/* SPDX-License-Identifier: MIT */
/* Refill: fresh magazines from slabs, and keeping the depot between its watermarks. May sleep. */
#ifndef BMA_CACHE_REFILL_H
#define BMA_CACHE_REFILL_H

#include "engine.h"

/* A magazine of objects from the slabs on @node, in hand; 0 if the system has no memory. */
uintptr_t bma__refill_magazine(struct bma__engine *e, uint32_t node);

/* An object by whatever may sleep, but a grace period; NULL if the system has no memory. */
void *bma__refill_object(struct bma__engine *e);

/*
 * One pass over an engine: collect parked objects, refill the depot to its target if it is below
 * its low watermark, return to the slabs what it holds above its target and did not need since the
 * last pass (the least depth seen: Bonwick's working set). Returns the number of magazines moved.
 */
uint32_t bma__refill_service(struct bma__engine *e);

#endif /* BMA_CACHE_REFILL_H */
