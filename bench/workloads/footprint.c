/* SPDX-License-Identifier: MIT */
/*
 * What do a million live objects of 64 bytes take: memory, time to get them fresh, and memory that
 * is kept after all are free and the peer was asked to give back what it can? Once per process.
 *
 * Before that, for every peer alike, as much memory is touched and given back: a virtual machine's host
 * gives memory on the first touch ever, which is no peer's doing. The second such pass is the floor.
 */
#include "workloads/workload.h"

#include <stdlib.h>
#include <string.h>

#define OBJECTS 1000000
#define SIZE 64
#define FLOOR_BYTES ((size_t)80 << 20)

static void *objects[OBJECTS];

static void footprint(struct bench_state *st, void *arg)
{
	size_t before, live, after;
	const char *conf = getenv("BMA_CONF");
	bool huge = conf && strstr(conf, "thp:on");
	double start, made, fresh, freed, floor_ns;
	peer_pool pool;

	(void)arg;
	host_pin(0);
	floor_ns = host_touch(FLOOR_BYTES, huge);
	floor_ns = host_touch(FLOOR_BYTES, huge) / (FLOOR_BYTES / SIZE);
	memset(objects, 1, sizeof(objects)); /* these pages are not the peer's */
	before = host_resident();
	while (bench_keep_running(st)) {
		host_unpin();
		start = host_seconds();
		pool = peer_create(SIZE, OBJECTS);
		made = host_seconds();
		host_pin(0);
		for (size_t i = 0; i < OBJECTS; i++) {
			objects[i] = bench_take(pool);
			workload_touch(objects[i], i);
		}
		fresh = host_seconds();
		live = host_resident();
		freed = host_seconds();
		for (size_t i = 0; i < OBJECTS; i++)
			peer_free(pool, objects[i]);
		freed = host_seconds() - freed;
		peer_trim(pool);
		after = host_resident();
		bench_set_iteration_time(st, fresh - made);
		bench_set_counter(st, "setup_ms", (made - start) * 1e3, 0);
		bench_set_counter(st, "fresh_ns", (fresh - made) * 1e9 / OBJECTS, 0);
		bench_set_counter(st, "floor_ns", floor_ns, 0);
		bench_set_counter(st, "free_ns", freed * 1e9 / OBJECTS, 0);
		bench_set_counter(st, "resident_bytes", ((double)live - (double)before) / OBJECTS,
				  0);
		bench_set_counter(st, "kept_kib", ((double)after - (double)before) / 1024, 0);
	}
}

void footprint_register(void)
{
	struct bench *b = bench_register("footprint", footprint, NULL);
	static const char *const names[] = {"n", "size"};

	bench_arg_names(b, names, 2);
	bench_args(b, (const int64_t[]){OBJECTS, SIZE}, 2);
	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
	bench_set_unit(b, BENCH_MILLISECOND);
}
