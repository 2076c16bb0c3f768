/* SPDX-License-Identifier: MIT */
/* The Linux kernel's benchmark of its hash map's memory, on liburcu's hash table. */
#include "htab/lfht.h"

#define HTAB_MAP "lfht"
#define HTAB_REGISTER htab_lfht_register
#include "htab/run.h"
