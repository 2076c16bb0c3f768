/* SPDX-License-Identifier: MIT */
/*
 * liburcu's memb flavour under its plain names, with readers and pointers inline: what LGPL-
 * compatible programs may have. Included before anything else of liburcu.
 */
#ifndef BENCH_MEMB_H
#define BENCH_MEMB_H

#define _LGPL_SOURCE
#define URCU_API_MAP
#include <urcu/urcu-memb.h>

#endif /* BENCH_MEMB_H */
