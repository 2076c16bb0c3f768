/* SPDX-License-Identifier: MIT */
/* BMA with accounting groups. For the rows `group`; a pool, where one is asked for, is a cache with a group of its own. */
#define PEER_NAME "bma-group"
#define PEER_WORKLOADS 0
#define PEER_GROUP bma_group_create(NULL, NULL)

#include "bma.h"
