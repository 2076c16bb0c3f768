/* SPDX-License-Identifier: MIT */
/* As a user's file is compiled: the hot calls are inlined. */
#undef BMA_IMPLEMENTATION
#include "calls_body.h"

const struct calls calls_inlined = CALLS("inlined");
