/* SPDX-License-Identifier: MIT */
/* The region where groups stand. */
#ifndef BMA_GROUP_PLACE_H
#define BMA_GROUP_PLACE_H

#include "group.h"

/* Once. Maps the region, and behind it @extra zeroed bytes at @more. Returns 0 or -ENOMEM. */
int bma__place_init(size_t extra, void **more);
/* A place, with its generation; NULL: there are BMA_GROUPS_MAX groups. Under the lock. */
struct bma__group *bma__place_take(void);
/* Its handle names nothing from here on. Under the lock. */
void bma__place_give(struct bma__group *g);

/* Places as numbers, below 65536. Any context. */
uint32_t bma__place_index(const struct bma__group *g);
struct bma__group *bma__place_at(uint32_t index);

#endif /* BMA_GROUP_PLACE_H */
