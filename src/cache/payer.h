/* SPDX-License-Identifier: MIT */
/*
 * Who pays changes: a record goes from one group to another, with all that it was charged for. Its stocks go with it, for they are the record's.
 *
 * All or nothing: the gates of all records that are to move are closed and empty before the first one moves; then nothing can fail but the charge of the target,
 * which is made first.
 */
#ifndef BMA_CACHE_PAYER_H
#define BMA_CACHE_PAYER_H

#include "pin.h"
#include "record.h"

/* As bma_cache_recharge(). May sleep. */
int bma__payer_move(struct bma__record *r, const struct bma_group *to);
/* As bma_group_destroy(); @freed: objects that were freed and that it kept pinned, see pin.h. May sleep. */
int bma__payer_destroy(const struct bma_group *group, struct bma__pin_object **freed);

#endif /* BMA_CACHE_PAYER_H */
