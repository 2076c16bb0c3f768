/* SPDX-License-Identifier: MIT */
/*
 * churn SECONDS THREADS: what a handler must not collide with. Each thread spends its CPU time in
 * malloc, realloc and free, in short-lived threads, in the loader and in fork.
 */
#include "burn.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 512

static double seconds;
static const char *const libraries[] = {"libm.so.6", "libresolv.so.2", "libutil.so.1"};

static __attribute__((noinline)) void churn_blocks(void **blocks, unsigned int *seed)
{
	for (int i = 0; i < 2000; i++) {
		unsigned int at = (unsigned int)rand_r(seed) % BLOCKS;
		size_t size = 16 + (size_t)rand_r(seed) % 5000;

		if (rand_r(seed) % 3) {
			free(blocks[at]);
			blocks[at] = malloc(size);
		} else {
			void *moved = realloc(blocks[at], size);

			if (moved)
				blocks[at] = moved;
		}
	}
}

static void *nothing(void *arg)
{
	return arg;
}

static void churn_threads(void)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, nothing, NULL))
		pthread_join(thread, NULL);
}

static void churn_loader(unsigned int *seed)
{
	void *library = dlopen(libraries[(unsigned int)rand_r(seed) % 3], RTLD_NOW);

	if (library)
		dlclose(library);
}

static void churn_processes(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, &status, 0);
}

static void *work(void *arg)
{
	void *blocks[BLOCKS] = {NULL};
	unsigned int seed = *(unsigned int *)arg;
	bool forks = seed == 1;

	for (unsigned int round = 0; thread_seconds() < seconds; round++) {
		churn_blocks(blocks, &seed);
		churn_loader(&seed);
		if (round % 8 == 0)
			churn_threads();
		if (forks && round % 256 == 0)
			churn_processes();
	}
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[64];
	unsigned int seeds[64];
	int n = argc > 2 ? atoi(argv[2]) : 4;

	seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
	if (n < 1 || n > 64)
		return 2;
	for (int i = 0; i < n; i++) {
		seeds[i] = (unsigned int)i + 1;
		if (pthread_create(&threads[i], NULL, work, &seeds[i]))
			return 3;
	}
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	puts("done");
	return 0;
}
