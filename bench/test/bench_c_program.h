/* SPDX-License-Identifier: MIT */
/* The parts of bench_c_program. */
#ifndef BENCH_TEST_PROGRAM_H
#define BENCH_TEST_PROGRAM_H

#include "bench_c.h"

/** times_register - Adds what takes time in fact. */
void times_register(void);

#endif /* BENCH_TEST_PROGRAM_H */
