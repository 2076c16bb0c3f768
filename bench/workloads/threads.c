/* SPDX-License-Identifier: MIT */
/*
 * Do threads disturb each other? Pairs and batches of 1000 in 1, 2, 4 ... threads, each bound to a
 * CPU of its own, which gives the throughput by wall clock (threads_); and in eight times as many
 * threads as there are CPUs, which take turns there: CPU time of the threads for each operation (crowd_).
 */
#include "workloads/workload.h"

#define PAIRS 1024
#define BATCH 1000
/* More are not run, however many CPUs there are. */
#define MAX_THREADS 512
/* A peer is told of so many objects. */
#define LIVE_THREADS 16
#define WARM_UP 8

static struct workload_pool pool_64 = {.size = 64, .objects = LIVE_THREADS * BATCH};

static void pairs(struct bench_state *st, void *arg)
{
	peer_pool pool = workload_enter(st, arg);

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
	peer_pool pool = workload_enter(st, arg);

	workload_shuffle(order, BATCH);
	for (int i = 0; i < WARM_UP; i++)
		workload_batch(pool, mine, order, BATCH, true);
	while (bench_keep_running_batch(st, BATCH))
		workload_batch(pool, mine, order, BATCH, true);
	bench_set_items_processed(st, bench_iterations(st));
	workload_leave(st);
}

static int most(int threads)
{
	return threads < MAX_THREADS ? threads : MAX_THREADS;
}

static struct bench *add(const char *name, bench_fn body)
{
	struct bench *b = bench_register(name, body, &pool_64);
	static const char *const names[] = {"size"};

	bench_arg_names(b, names, 1);
	bench_arg(b, (int64_t)pool_64.size);
	bench_use_real_time(b);
	return b;
}

void threads_register(void)
{
	int n = most(host_cpus());

	bench_thread_range(add("threads_pair", pairs), 1, n);
	bench_thread_range(add("threads_batch", batches), 1, n);
	if (PEER_WORKLOADS & WORKLOAD_CROWD) {
		bench_threads(add("crowd_pair", pairs), most(8 * host_cpus()));
		bench_threads(add("crowd_batch", batches), most(8 * host_cpus()));
	}
}
