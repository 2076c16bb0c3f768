/* SPDX-License-Identifier: MIT */
/* The Linux kernel's benchmark of its hash map's memory, on a map like the kernel's. */
#include "htab/locked.h"

#define HTAB_MAP "locked"
#define HTAB_REGISTER htab_locked_register
#include "htab/run.h"
