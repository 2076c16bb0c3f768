/* SPDX-License-Identifier: MIT */
/*
 * What does it cost to allocate many objects and to free them, in which order? The batch_ families measure
 * the allocator alone; touched_ writes one word of each object, as a program would at least, which adds the
 * same cache misses for every peer that does not touch objects itself.
 */
#include "workloads/workload.h"

#define MAX_BATCH 10000

/* Batches before the clock starts: peers that adapt have done so by then. */
#define WARM_UP 8

static struct workload_pool pools[] = {
	{.size = 64, .objects = MAX_BATCH},
	{.size = 1024, .objects = MAX_BATCH},
	{.size = 4096, .objects = MAX_BATCH},
};

enum free_order { LIFO, FIFO, SHUFFLED };

struct batch {
	struct workload_pool *pool;
	enum free_order order;
	bool touch;
};

static void *objects[MAX_BATCH];
static uint32_t order[MAX_BATCH];

static void batch(struct bench_state *st, void *arg)
{
	const struct batch *b = arg;
	peer_pool pool = workload_enter(st, b->pool);
	size_t n = (size_t)bench_range(st, 0);

	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)(b->order == LIFO ? n - 1 - i : i);
	if (b->order == SHUFFLED)
		workload_shuffle(order, n);
	for (int i = 0; i < WARM_UP; i++)
		workload_batch(pool, objects, order, n, true);
	if (b->touch) {
		while (bench_keep_running_batch(st, (int64_t)n))
			workload_batch(pool, objects, order, n, true);
	} else {
		while (bench_keep_running_batch(st, (int64_t)n))
			workload_batch(pool, objects, order, n, false);
	}
	bench_set_items_processed(st, bench_iterations(st));
	workload_leave(st);
}

void batch_register(void)
{
	static const char *const names[] = {"n", "size"};
	static const char *const families[] = {"batch_lifo", "batch_fifo", "batch_shuffled",
					       "touched_shuffled"};
	static struct batch batches[BENCH_ARRAY_SIZE(pools)][BENCH_ARRAY_SIZE(families)];

	for (size_t i = 0; i < BENCH_ARRAY_SIZE(pools); i++) {
		for (size_t f = 0; f < BENCH_ARRAY_SIZE(families); f++) {
			const int64_t size = (int64_t)pools[i].size;
			struct bench *b;

			batches[i][f].pool = &pools[i];
			batches[i][f].touch = f > SHUFFLED;
			batches[i][f].order = f > SHUFFLED ? SHUFFLED : (enum free_order)f;
			b = bench_register(families[f], batch, &batches[i][f]);
			bench_arg_names(b, names, 2);
			if (f == LIFO)
				bench_args(b, (const int64_t[]){64, size}, 2);
			bench_args(b, (const int64_t[]){1000, size}, 2);
			bench_args(b, (const int64_t[]){MAX_BATCH, size}, 2);
			bench_measure_process_cpu_time(b);
		}
	}
}
