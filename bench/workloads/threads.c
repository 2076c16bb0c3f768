/* SPDX-License-Identifier: MIT */
/*
 * Do threads disturb each other? Pairs and batches of 1000 in several threads, each bound to a CPU,
 * taking turns if there are more threads than CPUs. Real time gives the throughput, the CPU time of
 * the threads the cost per operation where there are more threads than CPUs.
 */
#include "workloads/workload.h"

#define PAIRS 1024
#define BATCH 1000
#define MAX_THREADS 16
#define WARM_UP 8

static struct workload_pool pool_64 = {.size = 64, .objects = MAX_THREADS * BATCH};

/* Two threads that take turns on one CPU say nothing about two CPUs. */
static bool too_few_cpus(struct bench_state *st)
{
	if (bench_thread_count(st) != 2 || host_cpus() >= 2)
		return false;
	bench_skip_with_error(st, "needs two CPUs");
	return true;
}

static void pairs(struct bench_state *st, void *arg)
{
	peer_pool pool;

	if (too_few_cpus(st))
		return;
	pool = workload_enter(st, arg);
	while (bench_keep_running_batch(st, PAIRS)) {
		for (int i = 0; i < PAIRS; i++)
			peer_free(pool, bench_use(bench_take(pool)));
	}
	bench_set_items_processed(st, bench_iterations(st));
	workload_leave(st);
}

static void batches(struct bench_state *st, void *arg)
{
	/* Aligned: the threads share no cache line of these. */
	static _Alignas(128) void *objects[MAX_THREADS][(BATCH + 15) & ~15];
	static _Alignas(128) uint32_t orders[MAX_THREADS][(BATCH + 31) & ~31];
	void **mine = objects[bench_thread_index(st)];
	uint32_t *order = orders[bench_thread_index(st)];
	peer_pool pool;

	if (too_few_cpus(st))
		return;
	pool = workload_enter(st, arg);
	workload_shuffle(order, BATCH);
	for (int i = 0; i < WARM_UP; i++)
		workload_batch(pool, mine, order, BATCH, true);
	while (bench_keep_running_batch(st, BATCH))
		workload_batch(pool, mine, order, BATCH, true);
	bench_set_items_processed(st, bench_iterations(st));
	workload_leave(st);
}

static void add(struct bench *b)
{
	static const char *const names[] = {"size"};

	bench_arg_names(b, names, 1);
	bench_arg(b, (int64_t)pool_64.size);
	bench_threads(b, 1);
	bench_threads(b, 2);
	if (PEER_WORKLOADS & WORKLOAD_CROWD)
		bench_threads(b, MAX_THREADS);
	bench_use_real_time(b);
}

void threads_register(void)
{
	add(bench_register("threads_pair", pairs, &pool_64));
	add(bench_register("threads_batch", batches, &pool_64));
}
