/* SPDX-License-Identifier: MIT */
/*
 * What is resident for a million counters of 8 bytes, each of which was added to by two threads on two CPUs at once? Divided by the copies that were
 * added to, which are counted: which thread has which copy is the kind's own business. Page tables are not resident bytes and stand beside them. Once per process.
 */
#include "counters/counter.h"

#define THREADS 2

static counter counters[COUNTERS_MAX];
static pthread_barrier_t barrier;

static void *add(void *arg)
{
	host_pin(*(int *)arg);
	pthread_barrier_wait(&barrier); /* all threads are there */
	pthread_barrier_wait(&barrier); /* the counters are made */
	for (size_t i = 0; i < COUNTERS_MAX; i++)
		counter_add(counters[i], 1);
	pthread_barrier_wait(&barrier); /* all is added */
	pthread_barrier_wait(&barrier); /* all is measured */
	return NULL;
}

static void memory(struct bench_state *st, void *arg)
{
	int number[THREADS] = {0, 1};
	pthread_t thread[THREADS];
	size_t before, after, tables, copies = 0;
	double start, made;

	(void)arg;
	host_unpin();
	for (size_t i = 0; i < sizeof(counters); i += 4096)
		((volatile char *)counters)[i] = 0; /* these pages are not the kind's */
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&thread[i], NULL, add, &number[i]))
			counter_die("cannot start a thread");
	}
	pthread_barrier_wait(&barrier);
	while (bench_keep_running(st)) {
		tables = host_page_tables();
		before = host_resident();
		start = host_seconds();
		counter_init(COUNTERS_MAX);
		for (size_t i = 0; i < COUNTERS_MAX; i++)
			counters[i] = counter_make();
		made = host_seconds() - start;
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		after = host_resident();
		tables = host_page_tables() - tables;
		for (size_t i = 0; i < COUNTERS_MAX; i++) {
			if (counter_sum(counters[i]) != THREADS)
				counter_die("an addition was lost");
			copies += counter_used(counters[i]);
		}
		bench_set_iteration_time(st, made);
		bench_set_counter(st, "make_ns", made * 1e9 / COUNTERS_MAX, 0);
		bench_set_counter(st, "copies", (double)copies / COUNTERS_MAX, 0);
		bench_set_counter(st, "copy_bytes",
				  ((double)after - (double)before) / (double)copies, 0);
		bench_set_counter(st, "table_bytes", (double)tables / (double)copies, 0);
		bench_set_counter(st, "object_bytes",
				  ((double)after - (double)before) / COUNTERS_MAX, 0);
	}
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

void percpu_memory_register(void)
{
	static const char *const names[] = {"n"};
	struct bench *b;

	if (host_cpus() < THREADS)
		return;
	b = bench_register("percpu/memory", memory, NULL);
	bench_arg_names(b, names, 1);
	bench_arg(b, COUNTERS_MAX);
	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
	bench_set_unit(b, BENCH_MILLISECOND);
}
