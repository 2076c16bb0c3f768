/* SPDX-License-Identifier: MIT */
/*
 * maze SECONDS [DEPTH]: walks a random path of calls again and again, so that nearly every sample
 * shows a stack that was not there before.
 */
#include "burn.h"

#include <stdio.h>
#include <stdlib.h>

typedef unsigned int turn(unsigned int path, int depth);
static turn left, right;

BURNER(at_the_end, 500)

static unsigned int next(unsigned int path, int depth)
{
	if (!depth)
		return at_the_end(path);
	return (path >> 16) & 1 ? left(path * 1664525u + 1013904223u, depth - 1)
				: right(path * 1664525u + 1013904223u, depth - 1);
}

/* The barrier keeps compilers from turning the calls into a loop. */
static __attribute__((noinline, noclone)) unsigned int left(unsigned int path, int depth)
{
	path = next(path, depth);
	__asm__ volatile("" : "+r"(path));
	return path + 1;
}

static __attribute__((noinline, noclone)) unsigned int right(unsigned int path, int depth)
{
	path = next(path, depth);
	__asm__ volatile("" : "+r"(path));
	return path + 3;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
	int depth = argc > 2 ? atoi(argv[2]) : 40;
	unsigned int path = 12345, steps = 0;

	/* Not to wait for a CPU where it looks at the time, as in hot.c. */
	for (; steps % 512 || thread_seconds() < seconds; steps++)
		path = left(path + steps, depth);
	printf("%u %u\n", steps, path);
	return 0;
}
