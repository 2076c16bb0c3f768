/* SPDX-License-Identifier: MIT */
/* What does it cost to add to a counter, to random ones of many, in one thread and in one on each of two CPUs, and to read one? */
#include "counters/counter.h"

#define ADDS 1024
#define MANY 100000
/* A power of two. */
#define DRAWN 65536

static counter one, many[MANY];
static uint32_t drawn[DRAWN];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make(void)
{
	uint64_t x = 2463534242u;

	host_unpin();
	counter_init(MANY + 1);
	one = counter_make();
	for (size_t i = 0; i < MANY; i++)
		many[i] = counter_make();
	for (size_t i = 0; i < DRAWN; i++) {
		/* xorshift, Marsaglia 2003 */
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		drawn[i] = (uint32_t)(x % MANY);
	}
}

static void enter(struct bench_state *st)
{
	pthread_once(&once, make);
	host_pin(bench_thread_index(st));
}

static void add(struct bench_state *st, void *arg)
{
	counter c;

	(void)arg;
	enter(st);
	c = one;
	while (bench_keep_running_batch(st, ADDS)) {
		for (int i = 0; i < ADDS; i++) {
			counter_add(c, 1);
			__asm__ __volatile__("" : : : "memory");
		}
	}
	bench_set_items_processed(st, bench_iterations(st));
}

static void add_random(struct bench_state *st, void *arg)
{
	size_t at = 0;

	(void)arg;
	enter(st);
	while (bench_keep_running_batch(st, ADDS)) {
		for (int i = 0; i < ADDS; i++) {
			counter_add(many[drawn[at++ % DRAWN]], 1);
			__asm__ __volatile__("" : : : "memory");
		}
	}
	bench_set_items_processed(st, bench_iterations(st));
}

static void sum(struct bench_state *st, void *arg)
{
	uint64_t total = 0;
	counter c;

	(void)arg;
	enter(st);
	c = one;
	counter_add(c, 1);
	while (bench_keep_running_batch(st, ADDS)) {
		for (int i = 0; i < ADDS; i++)
			total += counter_sum(c);
	}
	if (!total)
		counter_die("a sum is wrong");
}

void percpu_add_register(void)
{
	static const char *const names[] = {"n"};
	struct bench *b = bench_register("percpu/add", add, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, 1);
	bench_measure_process_cpu_time(b);
	b = bench_register("percpu/add", add_random, NULL);
	bench_arg_names(b, names, 1);
	bench_arg(b, MANY);
	bench_measure_process_cpu_time(b);
	b = bench_register("percpu/sum", sum, NULL);
	bench_measure_process_cpu_time(b);
	if (host_cpus() < 2)
		return;
	b = bench_register("percpu/threads_add", add, NULL);
	bench_threads(b, 2);
	bench_use_real_time(b);
}
