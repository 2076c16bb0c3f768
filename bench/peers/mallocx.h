/* SPDX-License-Identifier: MIT */
/* jemalloc by its own calls, which know the size when an object is freed. */
#define PEER_NAME "mallocx"
#define PEER_WORKLOADS                                                                             \
	(WORKLOAD_PAIR | WORKLOAD_BATCH | WORKLOAD_THREADS | WORKLOAD_CROWD | WORKLOAD_HANDOVER)
#define PEER_ALLOC(size) mallocx(size, 0)
#define PEER_FREE(p, size) sdallocx(p, size, 0)

#include "jemalloc.h"
