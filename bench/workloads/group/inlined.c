/* SPDX-License-Identifier: MIT */
/* The loops with the calls that the headers inline. */
#define LOOP(name) group_inlined_##name
#include "loops_calls.h"
