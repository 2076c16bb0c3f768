/* SPDX-License-Identifier: MIT */
/* BMA's caches that merge: pools of one size share their memory. */
#define PEER_NAME "bma-merged"
#define PEER_WORKLOADS (WORKLOAD_MAPS | WORKLOAD_HANDLES)
#define PEER_CACHE_FLAGS BMA_CACHE_MERGE

#include "bma.h"
