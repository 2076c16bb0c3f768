/* SPDX-License-Identifier: MIT */
/*
 * Threads that allocate, resize and hand objects to each other through a board, come and go, and
 * fork meanwhile. At the end it says how many objects were given back by another thread than
 * the one that made them: the trace must say the same. These objects are of 20000 bytes and more.
 * With the argument "leave" main() returns before the threads do.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define LIVES 5
#define ROUNDS 800
#define BOARD 64

struct object {
	unsigned int maker;
	unsigned char rest[20000];
};

static _Atomic(struct object *) board[BOARD];
static atomic_uint handed_over, makers;

static void *work(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;
	unsigned int self = atomic_fetch_add(&makers, 1);

	for (int i = 0; i < ROUNDS; i++) {
		struct object *mine = malloc(sizeof(*mine)), *other;

		if (!mine)
			abort();
		mine->maker = self;
		seed = seed * 1664525 + 1013904223;
		other = atomic_exchange(&board[seed >> 26], mine);
		if (other && seed >> 16 & 1) {
			atomic_fetch_add(&handed_over, other->maker != self);
			other = realloc(other, sizeof(*other) + (seed & 0xff));
			if (!other)
				abort();
			other->maker = self;
		}
		if (other)
			atomic_fetch_add(&handed_over, other->maker != self);
		free(other);
		if (self % 7 == 3 && i == ROUNDS / 2 && !fork()) {
			free(malloc(sizeof(*mine)));
			_exit(0);
		}
	}
	return NULL;
}

static void *live(void *arg)
{
	pthread_t thread;

	for (uintptr_t i = 0; i < LIVES; i++) {
		if (pthread_create(&thread, NULL, work, (void *)((uintptr_t)arg * 100 + i)))
			abort();
		pthread_join(thread, NULL);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	bool leave = argc > 1 && !strcmp(argv[1], "leave");

	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, live, (void *)(i + 1)))
			abort();
	if (leave) {
		usleep(3000);
		return 0;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < BOARD; i++) {
		struct object *left = atomic_load(&board[i]);

		atomic_fetch_add(&handed_over, left != NULL);
		free(left);
	}
	while (wait(NULL) > 0)
		;
	printf("%u\n", atomic_load(&handed_over));
	return 0;
}
