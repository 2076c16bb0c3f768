/* SPDX-License-Identifier: MIT */
/* Not deferred, with an allocator that does nothing: what the loop round the calls takes. */
#define DEFER_WORKLOADS DEFER_CHURN

#include "none.h"
