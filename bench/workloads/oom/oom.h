/* SPDX-License-Identifier: MIT */
/* The rows of out-of-memory policies, which stand in the program of accounting groups. */
#ifndef BENCH_WORKLOADS_OOM_OOM_H
#define BENCH_WORKLOADS_OOM_OOM_H

#include "workloads/group/group.h"

#include <stdlib.h>

void oom_decision_register(void);

#endif /* BENCH_WORKLOADS_OOM_OOM_H */
