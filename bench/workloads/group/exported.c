/* SPDX-License-Identifier: MIT */
/* The loops with the calls that the library exports. */
#define BMA_NO_INLINE
#define LOOP(name) group_exported_##name
#include "loops_calls.h"
