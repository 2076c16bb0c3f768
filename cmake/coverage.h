/* SPDX-License-Identifier: MIT */
/*
 * Included before everything else in builds that count what is run (BMA_COVERAGE): processes that end without exit(), children
 * of fork and those that the library aborts, write their counters first.
 */
#ifndef BMA_COVERAGE_H
#define BMA_COVERAGE_H

#include <stdlib.h>
#include <unistd.h>

void __gcov_dump(void);

static inline __attribute__((noreturn, unused)) void bma_coverage_exit(int status)
{
	__gcov_dump();
	_exit(status);
}

static inline __attribute__((noreturn, unused)) void bma_coverage_abort(void)
{
	__gcov_dump();
	abort();
}

#define _exit bma_coverage_exit
#define abort bma_coverage_abort

#endif /* BMA_COVERAGE_H */
