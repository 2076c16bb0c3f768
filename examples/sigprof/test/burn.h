/* SPDX-License-Identifier: MIT */
/* Work whose amount is CPU time of the calling thread, for programs that are to be profiled. */
#ifndef BURN_H
#define BURN_H

#include <time.h>

static inline double thread_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/*
 * A function of its own in every build, called from outside its own stack frame. A call of it takes much longer than a look at the clock
 * of CPU time, which is a system call, and no cheap one on every machine.
 */
#define BURNER(name, loops)                                                                        \
	static __attribute__((noinline, noclone)) unsigned int name(unsigned int x)                \
	{                                                                                          \
		for (volatile unsigned int i = 0; i < 40 * (loops); i++)                           \
			x = x * 1664525u + i;                                                      \
		return x;                                                                          \
	}

#endif /* BURN_H */
