/* SPDX-License-Identifier: MIT */
/* What the tests of the slab cache share: checks that stay on in release, and pinning. */
#ifndef BENCH_KMEM_CACHE_TEST_CHECK_H
#define BENCH_KMEM_CACHE_TEST_CHECK_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond);       \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* To one of the CPUs that the thread may use. */
static inline void pin(unsigned int number)
{
	cpu_set_t all, one;
	int left;

	CHECK(!pthread_getaffinity_np(pthread_self(), sizeof(all), &all));
	left = (int)number % CPU_COUNT(&all);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || left--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK(!pthread_setaffinity_np(pthread_self(), sizeof(one), &one));
		return;
	}
}

#endif /* BENCH_KMEM_CACHE_TEST_CHECK_H */
