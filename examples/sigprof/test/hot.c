/* SPDX-License-Identifier: MIT */
/*
 * hot SECONDS THREADS: each thread uses SECONDS of CPU time, three quarters of it in busy_three()
 * and one in busy_one(), and looks after its errno. Prints what the process used.
 */
#include "burn.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

BURNER(busy_three, 3000)
BURNER(busy_one, 1000)

static double seconds;

static __attribute__((noinline)) void *work(void *arg)
{
	unsigned int x = 1;
	/* Compilers know that these functions leave errno alone; a handler may not. */
	volatile int *mine = &errno;

	/* The kernel, too, looks at the time then, and lets others run: where a thread waits for a CPU is not to be there. */
	for (unsigned int i = 0; i % 64 || thread_seconds() < seconds; i++) {
		*mine = 4321;
		x = busy_three(x);
		x = busy_one(x);
		if (*mine != 4321)
			_exit(4);
	}
	*(unsigned int *)arg = x;
	return NULL;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	pthread_t threads[64];
	unsigned int results[64];
	int n = argc > 2 ? atoi(argv[2]) : 0;

	seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
	if (n < 0 || n > 64)
		return 2;
	for (int i = 0; i < n; i++) {
		if (pthread_create(&threads[i], NULL, work, &results[i]))
			return 3;
	}
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	if (!n)
		work(&results[0]);
	getrusage(RUSAGE_SELF, &usage);
	printf("%.3f\n", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
				 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6);
	return 0;
}
