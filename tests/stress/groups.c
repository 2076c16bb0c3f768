/* SPDX-License-Identifier: MIT */
/*
 * Accounting under load: what a group is charged for is what it has, to the byte.
 *
 * Threads allocate and free by all kinds of payers, hand objects over, free by other handles than those that they allocated by, move between CPUs; with the
 * word "storm" handlers do so, too. Meanwhile the main thread changes limits, lets other groups pay, destroys groups and makes new ones, registers
 * shrinkers. After each round all wait, and every figure of every group is looked at. At the end nothing may be left of anything.
 *
 * Words: storm, churn (small groups come and go, nothing else changes), threads=N, ms=N (of a round).
 */
#include "groups.h"

#include <pthread.h>

#include "storm.h"
#include "test.h"

#define THREADS_MAX 32

static pthread_barrier_t gate;
static _Atomic int round_over, stop;
static int storm, churn, nthreads = 8, round_ms = 60;

/* Whoever waits must not be interrupted by who allocates. */
static void wait_all(void)
{
	sigset_t usr1, old;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, &old);
	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void *thread(void *arg)
{
	uint64_t rng = test_seed * (2 * (uintptr_t)arg + 3);
	timer_t timer = NULL;

	test_pin((unsigned int)(uintptr_t)arg);
	if (storm)
		timer = storm_start(&rng);
	while (!atomic_load(&stop)) {
		while (!atomic_load_explicit(&round_over, memory_order_relaxed))
			groups_step(&rng);
		wait_all();
	}
	if (storm)
		timer_delete(timer);
	return NULL;
}

static void words(int argc, char **argv)
{
	for (int i = 3; i < argc; i++) {
		if (!strcmp(argv[i], "storm"))
			storm = 1;
		else if (!strcmp(argv[i], "churn"))
			churn = 1;
		else if (!strncmp(argv[i], "threads=", 8))
			nthreads = atoi(argv[i] + 8);
		else if (!strncmp(argv[i], "ms=", 3))
			round_ms = atoi(argv[i] + 3);
	}
}

/* Returns how many changes were made. */
static long one_round(uint64_t *rng, bool last)
{
	double end = test_seconds() + round_ms / 1e3;
	long n = 0;

	while (test_seconds() < end) {
		if (churn)
			groups_churn(rng);
		else
			groups_change(rng);
		groups_check_max(rng);
		n++;
	}
	atomic_store(&round_over, 1);
	pthread_barrier_wait(&gate);
	groups_check();
	groups_replace(rng);
	atomic_store(&stop, last);
	/* The last time nobody begins again. */
	atomic_store(&round_over, last);
	pthread_barrier_wait(&gate);
	return n;
}

int main(int argc, char **argv)
{
	double end = test_args(argc, argv, 3);
	uint64_t rng = test_seed * 77 | 1;
	pthread_t t[THREADS_MAX];
	long rounds = 0, changes = 0;

	words(argc, argv);
	storm_handler(groups_handler);
	groups_make(&rng);
	CHECK(!pthread_barrier_init(&gate, NULL, (unsigned int)nthreads + 1), "barrier");
	for (uintptr_t i = 0; i < (uintptr_t)nthreads; i++)
		CHECK(!pthread_create(&t[i], NULL, thread, (void *)i), "thread");
	end += test_seconds();
	do {
		changes += one_round(&rng, test_seconds() >= end);
		rounds++;
	} while (!atomic_load(&stop));
	for (int i = 0; i < nthreads; i++)
		pthread_join(t[i], NULL);
	groups_end();
	printf("rounds %ld changes %ld nulls %ld refused %ld shrunk %ld\n", rounds, changes,
	       (long)groups_nulls, (long)groups_refused, (long)groups_shrunk);
	return 0;
}
