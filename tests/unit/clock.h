/* SPDX-License-Identifier: MIT */
/* A clock that stands still, and goes on as the test says: what depends on time does not depend on how fast the machine is. */
#ifndef BMA_UNIT_CLOCK_H
#define BMA_UNIT_CLOCK_H

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t clock_now; /* 0: it is not stopped */

/* In the place of the C library's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	uint64_t now = clock_now;

	if (!now || id != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, id, ts);
	ts->tv_sec = (time_t)(now / 1000000000u);
	ts->tv_nsec = (long)(now % 1000000000u);
	return 0;
}

static inline void clock_stop(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	clock_now = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void clock_pass(uint64_t ns)
{
	clock_now += ns;
}

#endif /* BMA_UNIT_CLOCK_H */
