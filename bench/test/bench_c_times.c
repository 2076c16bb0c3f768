/* SPDX-License-Identifier: MIT */
/* The clocks of bench_c.h: bodies that sleep, or work, for a time that is known. */
#include "bench_c_program.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static void nap(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

static void sleeps(struct bench_state *st, void *arg)
{
	(void)arg;
	while (bench_keep_running(st))
		nap(10);
}

static void pauses(struct bench_state *st, void *arg)
{
	(void)arg;
	while (bench_keep_running(st)) {
		bench_pause_timing(st);
		nap(30);
		bench_resume_timing(st);
	}
}

/* Sleeps, and claims another time. */
static void claims(struct bench_state *st, void *arg)
{
	(void)arg;
	while (bench_keep_running(st)) {
		nap(1);
		bench_set_iteration_time(st, 0.5);
	}
}

static void *work(void *arg)
{
	struct timespec t;

	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	while (t.tv_nsec < 10000000 && !t.tv_sec);
	return arg;
}

/* Another thread has 10 ms of CPU time, this one next to nothing. */
static void helped(struct bench_state *st, void *arg)
{
	pthread_t helper;

	(void)arg;
	while (bench_keep_running(st)) {
		if (pthread_create(&helper, NULL, work, NULL))
			abort();
		pthread_join(helper, NULL);
	}
}

static void instant(struct bench_state *st, void *arg)
{
	(void)arg;
	while (bench_keep_running(st))
		bench_set_iteration_time(st, 1.0 / 1024);
}

static struct bench *family(const char *name, bench_fn fn, int64_t iterations)
{
	struct bench *b = bench_register(name, fn, NULL);

	if (iterations)
		bench_fix_iterations(b, iterations);
	bench_set_unit(b, BENCH_MILLISECOND);
	return b;
}

void times_register(void)
{
	struct bench *b;

	family("sleep", sleeps, 5);
	bench_use_real_time(family("sleep_real", sleeps, 5));
	bench_use_real_time(family("pause", pauses, 3));
	bench_use_manual_time(family("claim", claims, 4));
	family("helped", helped, 3);
	bench_measure_process_cpu_time(family("helped_process", helped, 3));
	b = family("min_time", instant, 0);
	bench_use_manual_time(b);
	bench_min_time(b, 0.125);
	b = family("warm_up", instant, 0);
	bench_use_manual_time(b);
	bench_min_time(b, 0.125);
	bench_min_warm_up_time(b, 0.0625);
}
