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
 *
 * Not to @refill: nobody asked for stock, and a trim may have emptied it on purpose. A wish that is older than such a drain
 * is void: it carries the count of drains that it was made under, @drained, and the depot is added to only while the count is the same. A later
 * wish takes the place of an older one, never the other way round. It is made by release and taken by acquire, so who serves it sees no older count.
 */
uint32_t bma__refill_service(struct bma__engine *e, bool refill, uint32_t drained);

/* Under a ticket: at once, and whether it was needed or not, return what the depot of @node holds above its target. */
void bma__refill_lower(struct bma__engine *e, uint32_t node);

#endif /* BMA_CACHE_REFILL_H */
