/* SPDX-License-Identifier: MIT */
/* What the plain test programs share: checks that name their place and seed, random numbers,
 * pinning. */
#ifndef BMA_TEST_H
#define BMA_TEST_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t test_seed;

#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: not true: %s (seed %llu) ", __FILE__, __LINE__,    \
				#cond, (unsigned long long)test_seed);                             \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* xorshift64*: small, and the whole run follows from its first state. */
static inline uint64_t test_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1du;
}

/* Run on one of the CPUs that this process may use; unpinned threads of such machines share one. */
static inline void test_pin(unsigned int n)
{
	unsigned int i = 0, count;
	cpu_set_t allowed, one;

	/* The main thread's, which is never pinned. */
	sched_getaffinity(getpid(), sizeof allowed, &allowed);
	count = (unsigned int)CPU_COUNT(&allowed);
	n %= count ? count : 1;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || i++ != n)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof one, &one);
		return;
	}
}

static inline double test_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* argv[1]: seconds, argv[2]: seed (default: the clock). Prints both, so that a failure can be
 * replayed. */
static inline double test_args(int argc, char **argv, double seconds)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	test_seed = (uint64_t)ts.tv_nsec * 2654435761u | 1;
	if (argc > 1)
		seconds = atof(argv[1]);
	if (argc > 2)
		test_seed = strtoull(argv[2], NULL, 0) | 1;
	printf("%s %g %llu\n", argv[0], seconds, (unsigned long long)test_seed);
	fflush(stdout);
	return seconds;
}

#endif /* BMA_TEST_H */
