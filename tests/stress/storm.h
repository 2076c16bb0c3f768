/* SPDX-License-Identifier: MIT */
/* Storms: each thread gets SIGUSR1 from a timer of its own, at places that nobody chose. */
#ifndef BMA_STORM_H
#define BMA_STORM_H

#include <signal.h>
#include <sys/syscall.h>

#include "test.h"

#define STORM_NS 50000 /* 20 kHz on each thread */

static inline void storm_handler(void (*handler)(int sig))
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};

	sigaction(SIGUSR1, &sa, NULL);
}

/* For the calling thread, which deletes the timer before it ends. */
static inline timer_t storm_start(uint64_t *rng)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	struct itimerspec its = {{0, STORM_NS},
				 {0, STORM_NS + (long)(test_random(rng) % STORM_NS)}};
	timer_t timer;

	ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	CHECK(!timer_create(CLOCK_MONOTONIC, &ev, &timer), "timer");
	timer_settime(timer, 0, &its, NULL);
	return timer;
}

#endif /* BMA_STORM_H */
