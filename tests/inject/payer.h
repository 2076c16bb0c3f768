/* SPDX-License-Identifier: MIT */
/* Who pays for the objects of a world, and what a charge finds. */
#ifndef BMA_INJECT_PAYER_H
#define BMA_INJECT_PAYER_H

#include "cache/cache.h"

/* A handle on @e whose objects a group pays for. */
struct bma_cache *payer_make(struct bma__engine *e);
/* The world is made: all of its objects that users have, or that wait, are charged; then the stock is as its shape says. */
void payer_charge(void);
/* What was asked of groups is forgotten, so that it can be asked for again; before the rest is restored. */
void payer_restore(void);
/* May an allocation be refused? */
bool payer_refuses(void);
/*
 * What is wrong now: what is charged must be what users have, what waits or is set aside, what is stocked and what is pending; the
 * same in the group and above it; and owners must be of exactly these objects. NULL: nothing.
 */
const char *payer_check(void);
/* In a child of fork: charges of nobody were counted anew. */
void payer_forked(void);
/* All objects are home. What is wrong, or NULL. */
const char *payer_end(void);

#endif /* BMA_INJECT_PAYER_H */
