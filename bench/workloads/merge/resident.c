/* SPDX-License-Identifier: MIT */
/*
 * What is resident for a thousand maps, each with a pool of its own and 50 objects of 64 bytes, all of which are written? Once
 * per process. Map after map is made and filled, as programs do.
 */
#include "workloads/workload.h"

#include <string.h>

#define MAPS 1000
#define EACH 50
#define SIZE 64

static struct {
	peer_pool pool;
	void *objects[EACH];
} maps[MAPS];

static void fill(void)
{
	for (size_t i = 0; i < MAPS; i++) {
		maps[i].pool = peer_create(SIZE, EACH);
		for (size_t j = 0; j < EACH; j++) {
			maps[i].objects[j] = bench_take(maps[i].pool);
			memset(maps[i].objects[j], 1, SIZE);
		}
	}
}

static void resident(struct bench_state *st, void *arg)
{
	size_t before;
	double start, bytes;

	(void)arg;
	host_unpin();
	memset(maps, 1, sizeof(maps)); /* these pages are not the peer's */
	before = host_resident();
	while (bench_keep_running(st)) {
		start = host_seconds();
		fill();
		bench_set_iteration_time(st, host_seconds() - start);
		bytes = (double)host_resident() - (double)before;
		bench_set_counter(st, "map_bytes", bytes / MAPS, 0);
		bench_set_counter(st, "over_live", bytes / (MAPS * EACH * SIZE), 0);
	}
	for (size_t i = 0; i < MAPS; i++) {
		for (size_t j = 0; j < EACH; j++)
			peer_free(maps[i].pool, maps[i].objects[j]);
	}
}

void merge_resident_register(void)
{
	static const char *const names[] = {"maps", "objects", "size"};
	struct bench *b = bench_register("merge/resident", resident, NULL);

	bench_arg_names(b, names, 3);
	bench_args(b, (const int64_t[]){MAPS, EACH, SIZE}, 3);
	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
	bench_set_unit(b, BENCH_MILLISECOND);
}
