/* SPDX-License-Identifier: MIT */
/* What do an allocation and a free of the same object cost, with nothing between them? */
#include "workloads/workload.h"

/* Pairs per turn of Google Benchmark's loop. */
#define PAIRS 1024

static struct workload_pool pools[] = {
	{.size = 16, .objects = 1},   {.size = 64, .objects = 1},   {.size = 256, .objects = 1},
	{.size = 1024, .objects = 1}, {.size = 4096, .objects = 1},
};

static void pair(struct bench_state *st, void *arg)
{
	peer_pool pool = workload_enter(st, arg);

	while (bench_keep_running_batch(st, PAIRS)) {
		for (int i = 0; i < PAIRS; i++)
			peer_free(pool, bench_use(bench_take(pool)));
	}
	bench_set_items_processed(st, bench_iterations(st));
	workload_leave(st);
}

void pair_register(void)
{
	static const char *const names[] = {"size"};

	for (size_t i = 0; i < BENCH_ARRAY_SIZE(pools); i++) {
		struct bench *b = bench_register("pair", pair, &pools[i]);

		bench_arg_names(b, names, 1);
		bench_arg(b, (int64_t)pools[i].size);
		/* Helper threads of a peer count. */
		bench_measure_process_cpu_time(b);
	}
}
