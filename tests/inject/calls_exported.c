/* SPDX-License-Identifier: MIT */
/* The functions that the library exports. */
#include "calls_body.h"

const struct calls calls_exported = CALLS("exported");
