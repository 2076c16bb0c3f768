/* SPDX-License-Identifier: MIT */
/* Not deferred: free() at once. Right where no reader looks at an object without a lock. */
#define DEFER_WORKLOADS DEFER_HTAB_LOCKED

#include "none.h"
