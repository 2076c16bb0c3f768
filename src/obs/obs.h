/* SPDX-License-Identifier: MIT */
/* Layer 4: reads the layers below and changes nothing. */
#ifndef BMA_OBS_OBS_H
#define BMA_OBS_OBS_H

#include "cache/cache.h"
#include "group/group.h"

#endif /* BMA_OBS_OBS_H */
