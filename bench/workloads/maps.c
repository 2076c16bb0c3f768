/* SPDX-License-Identifier: MIT */
/*
 * A program with many maps, each with a pool of its own for its few objects: what does a map cost,
 * in memory and when it is made, and what do its objects cost when the next one to be replaced is in
 * any of the maps? A malloc has no pools: its figures are what the objects alone take.
 */
#include "workloads/workload.h"

#define MOST 10000
#define EACH 8
#define SIZE 64
#define STEPS 1024

struct map {
	peer_pool pool;
	void *objects[EACH];
};

static const size_t counts[] = {1, 100, MOST};

/* The maps of each count stay, as a program's maps do. */
static struct maps {
	struct map *maps;
	double create_ns;
	double bytes;
} made[BENCH_ARRAY_SIZE(counts)];

static void make(struct maps *m, size_t n)
{
	size_t before;
	double start;

	m->maps = calloc(n, sizeof(*m->maps));
	if (!m->maps)
		bench_die("out of memory");
	/* These pages are not the peer's. */
	for (size_t i = 0; i < n; i++)
		*(void *volatile *)&m->maps[i].objects[0] = NULL;
	before = host_resident();
	start = host_seconds();
	for (size_t i = 0; i < n; i++)
		m->maps[i].pool = peer_create(SIZE, EACH);
	m->create_ns = (host_seconds() - start) * 1e9 / (double)n;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < EACH; j++) {
			m->maps[i].objects[j] = bench_take(m->maps[i].pool);
			workload_touch(m->maps[i].objects[j], j);
		}
	}
	m->bytes = ((double)host_resident() - (double)before) / (double)n;
}

static void maps(struct bench_state *st, void *arg)
{
	struct maps *m = arg;
	size_t n = (size_t)bench_range(st, 0);
	uint64_t seed = 2463534242u;

	if (!m->maps) {
		host_unpin();
		make(m, n);
	}
	host_pin(0);
	while (bench_keep_running_batch(st, STEPS)) {
		for (int i = 0; i < STEPS; i++) {
			uint64_t random = workload_random(&seed);
			struct map *map = &m->maps[random % n];
			void **place = &map->objects[(random >> 32) % EACH];

			peer_free(map->pool, *place);
			*place = bench_take(map->pool);
			workload_touch(*place, (size_t)i);
		}
	}
	bench_set_items_processed(st, bench_iterations(st));
	bench_set_counter(st, "create_ns", m->create_ns, 0);
	bench_set_counter(st, "map_bytes", m->bytes, 0);
}

void maps_register(void)
{
	static const char *const names[] = {"n"};

	for (size_t i = 0; i < BENCH_ARRAY_SIZE(counts); i++) {
		struct bench *b = bench_register("maps", maps, &made[i]);

		bench_arg_names(b, names, 1);
		bench_arg(b, (int64_t)counts[i]);
		/* Helper threads work for the peer, too. */
		bench_measure_process_cpu_time(b);
	}
}
