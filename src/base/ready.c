/* SPDX-License-Identifier: MIT */
/* See ready.h. */
#include "base.h"

_Atomic bool bma__ready;
