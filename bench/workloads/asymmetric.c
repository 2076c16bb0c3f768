/* SPDX-License-Identifier: MIT */
/*
 * Many threads allocate, one frees: how many objects a second? Each of PRODUCERS has a bounded ring
 * of its own to the one thread that takes a burst of objects from each in turn and frees them. Where
 * there are fewer CPUs than threads the producers share all but the first.
 */
#include "workloads/handover.h"

#define PRODUCERS 3

static struct workload_pool pools[] = {
	{.size = 64, .objects = PRODUCERS * HANDOVER_RING},
	{.size = 1024, .objects = PRODUCERS * HANDOVER_RING},
};

static struct handover rings[PRODUCERS];

static void asymmetric(struct bench_state *st, void *arg)
{
	int self = bench_thread_index(st);
	peer_pool pool;

	if (workload_too_few_cpus(st, 2))
		return;
	pool = workload_enter(st, arg);
	if (self) {
		host_pin(1 + (self - 1) % (host_cpus() - 1));
		while (bench_keep_running_batch(st, HANDOVER_BURST))
			handover_produce(&rings[self - 1], pool, true);
	} else {
		while (bench_keep_running_batch(st, HANDOVER_BURST)) {
			for (size_t i = 0; i < PRODUCERS; i++)
				handover_consume(&rings[i], pool, true);
		}
		bench_set_items_processed(st, bench_iterations(st) * PRODUCERS);
	}
	workload_leave(st);
}

void asymmetric_register(void)
{
	static const char *const names[] = {"producers", "size"};

	for (size_t i = 0; i < BENCH_ARRAY_SIZE(pools); i++) {
		struct bench *b = bench_register("asymmetric", asymmetric, &pools[i]);

		bench_arg_names(b, names, 2);
		bench_args(b, (const int64_t[]){PRODUCERS, (int64_t)pools[i].size}, 2);
		bench_threads(b, PRODUCERS + 1);
		bench_use_real_time(b);
	}
}
