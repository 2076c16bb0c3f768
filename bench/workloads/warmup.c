/* SPDX-License-Identifier: MIT */
/*
 * How long until a program that starts has its first object, and its first thousands? From nothing:
 * the pool is made, and what the allocator does once is done, under the clock. Once per process.
 */
#include "workloads/workload.h"

#define SIZE 64
#define FEW 100
#define MANY 10000

static void *objects[MANY];

static void warmup(struct bench_state *st, void *arg)
{
	double start, first, few, many;
	peer_pool pool;

	(void)arg;
	while (bench_keep_running(st)) {
		host_unpin();
		start = host_seconds();
		pool = peer_create(SIZE, MANY);
		objects[0] = bench_take(pool);
		workload_touch(objects[0], 0);
		first = host_seconds();
		for (size_t i = 1; i < FEW; i++) {
			objects[i] = bench_take(pool);
			workload_touch(objects[i], i);
		}
		few = host_seconds();
		for (size_t i = FEW; i < MANY; i++) {
			objects[i] = bench_take(pool);
			workload_touch(objects[i], i);
		}
		many = host_seconds();
		bench_set_iteration_time(st, many - start);
		for (size_t i = 0; i < MANY; i++)
			peer_free(pool, objects[i]);
		bench_set_counter(st, "first_us", (first - start) * 1e6, 0);
		bench_set_counter(st, "few_us", (few - start) * 1e6, 0);
		bench_set_counter(st, "many_ns", (many - few) * 1e9 / (MANY - FEW), 0);
	}
}

void warmup_register(void)
{
	struct bench *b = bench_register("warmup", warmup, NULL);
	static const char *const names[] = {"n", "size"};

	bench_arg_names(b, names, 2);
	bench_args(b, (const int64_t[]){MANY, SIZE}, 2);
	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
	bench_set_unit(b, BENCH_MICROSECOND);
}
