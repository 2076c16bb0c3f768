/* SPDX-License-Identifier: MIT */
/* The rows of shared groups, which stand in the program of accounting groups. */
#ifndef BENCH_WORKLOADS_SHARED_SHARED_H
#define BENCH_WORKLOADS_SHARED_SHARED_H

#include "workloads/group/group.h"

void shared_borrow_register(void);

#endif /* BENCH_WORKLOADS_SHARED_SHARED_H */
