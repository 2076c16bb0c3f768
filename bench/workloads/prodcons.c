/* SPDX-License-Identifier: MIT */
/* How many objects a second can one thread allocate and another, on another CPU, free? */
#include "workloads/handover.h"

static struct workload_pool pools[] = {
	{.size = 64, .objects = HANDOVER_RING},
	{.size = 256, .objects = HANDOVER_RING},
	{.size = 1024, .objects = HANDOVER_RING},
};

static struct handover handover;

static void prodcons(struct bench_state *st, void *arg)
{
	peer_pool pool = workload_enter(st, arg);

	if (host_cpus() < 2)
		bench_skip_with_error(st, "needs two CPUs");
	else
		handover_run(st, &handover, pool);
	workload_leave(st);
}

void prodcons_register(void)
{
	static const char *const names[] = {"size"};

	for (size_t i = 0; i < BENCH_ARRAY_SIZE(pools); i++) {
		struct bench *b = bench_register("prodcons", prodcons, &pools[i]);

		bench_arg_names(b, names, 1);
		bench_arg(b, (int64_t)pools[i].size);
		bench_threads(b, 2);
		bench_use_real_time(b);
	}
}
