/* SPDX-License-Identifier: MIT */
/*
 * What do NUMA nodes cost? Batches in all cores of one node; objects allocated in one node and
 * freed in another, in a stream and batch by batch. Only where at least two nodes have CPUs. The nodes in
 * the names are numbered as hwloc does, bench-plan shows them; objects have 64 B.
 */
#include "topology.h"
#include "workloads/handover.h"

#define BATCH 1000
#define WARM_UP 8
#define SIZE 64

/* What a thread needs is on its stack or first written by it, so it is in the node it runs on. */
struct route {
	_Alignas(4096) struct handover handover;
	struct topology_pair pair;
	/* Batches handed over so far by the one, and freed so far by the other. */
	_Alignas(128) _Atomic size_t given;
	_Alignas(128) _Atomic size_t freed;
	_Alignas(128) void *objects[BATCH];
};

static struct route routes[TOPOLOGY_MAX_PAIRS];
static struct workload_pool pool_batch = {.size = SIZE};
static struct workload_pool pool_stream = {.size = SIZE, .objects = HANDOVER_RING};
static struct workload_pool pool_remote = {.size = SIZE, .objects = BATCH};

static void batches(struct bench_state *st, void *arg)
{
	uint32_t order[BATCH];
	void *objects[BATCH];
	peer_pool pool = workload_enter(st, &pool_batch);

	(void)arg;
	host_pin_node((int)bench_range(st, 0), bench_thread_index(st));
	workload_shuffle(order, BATCH);
	for (int i = 0; i < WARM_UP; i++)
		workload_batch(pool, objects, order, BATCH, true);
	while (bench_keep_running_batch(st, BATCH))
		workload_batch(pool, objects, order, BATCH, true);
	bench_set_items_processed(st, bench_iterations(st));
	workload_leave(st);
}

static peer_pool enter(struct bench_state *st, const struct route *r, struct workload_pool *p)
{
	peer_pool pool = workload_enter(st, p);

	host_pin_node(bench_thread_index(st) ? r->pair.to : r->pair.from, 0);
	return pool;
}

static void stream(struct bench_state *st, void *arg)
{
	struct route *r = arg;
	peer_pool pool = enter(st, r, &pool_stream);

	handover_run(st, &r->handover, pool);
	workload_leave(st);
}

static void give(struct route *r, peer_pool pool)
{
	size_t n = atomic_load_explicit(&r->given, memory_order_relaxed);

	while (atomic_load_explicit(&r->freed, memory_order_acquire) != n)
		crew_relax();
	for (size_t i = 0; i < BATCH; i++) {
		r->objects[i] = bench_take(pool);
		workload_touch(r->objects[i], i);
	}
	atomic_store_explicit(&r->given, n + 1, memory_order_release);
}

/* Returns the ticks that freeing took; the other thread only waits meanwhile. */
static uint64_t take(struct route *r, peer_pool pool, const uint32_t *order)
{
	size_t n = atomic_load_explicit(&r->freed, memory_order_relaxed);
	void *objects[BATCH];
	uint64_t start;

	while (atomic_load_explicit(&r->given, memory_order_acquire) == n)
		crew_relax();
	/* The pointers come from the other node too, but are not what is asked about. */
	for (size_t i = 0; i < BATCH; i++)
		objects[i] = r->objects[order[i]];
	start = host_tick_begin();
	for (size_t i = 0; i < BATCH; i++)
		peer_free(pool, objects[i]);
	start = host_tick_end() - start;
	atomic_store_explicit(&r->freed, n + 1, memory_order_release);
	return start;
}

static void remote_free(struct bench_state *st, void *arg)
{
	struct route *r = arg;
	peer_pool pool = enter(st, r, &pool_remote);
	uint32_t order[BATCH];
	uint64_t ticks = 0;

	workload_shuffle(order, BATCH);
	if (bench_thread_index(st)) {
		while (bench_keep_running_batch(st, BATCH))
			ticks += take(r, pool, order);
		bench_set_items_processed(st, bench_iterations(st));
		bench_set_counter(st, "free_ns",
				  (double)ticks * host_tick_ns() / (double)bench_iterations(st), 0);
	} else {
		while (bench_keep_running_batch(st, BATCH))
			give(r, pool);
	}
	workload_leave(st);
}

static void add_nodes(void)
{
	static const char *const names[] = {"node"};

	for (int node = 0; node < host_nodes(); node++) {
		int cores = host_node_cores(node);
		struct bench *b;

		if (!cores)
			continue;
		/* Twice, for a cache per thread may hold some of them back. */
		if (pool_batch.objects < (size_t)cores * BATCH * 2)
			pool_batch.objects = (size_t)cores * BATCH * 2;
		b = bench_register("numa_batch", batches, NULL);
		bench_arg_names(b, names, 1);
		bench_arg(b, node);
		bench_threads(b, cores);
		bench_use_real_time(b);
	}
}

static void add_routes(const char *name, bench_fn fn, int n)
{
	static const char *const names[] = {"from", "to"};

	for (int i = 0; i < n; i++) {
		struct bench *b = bench_register(name, fn, &routes[i]);

		bench_arg_names(b, names, 2);
		bench_args(b, (int64_t[]){routes[i].pair.from, routes[i].pair.to}, 2);
		bench_threads(b, 2);
		bench_use_real_time(b);
	}
}

void numa_register(void)
{
	struct topology_pair pairs[TOPOLOGY_MAX_PAIRS];
	int n = topology_pairs(topology_get(), pairs);

	if (!n)
		return;
	for (int i = 0; i < n; i++)
		routes[i].pair = pairs[i];
	if (PEER_WORKLOADS & WORKLOAD_THREADS)
		add_nodes();
	if (PEER_WORKLOADS & WORKLOAD_HANDOVER) {
		add_routes("numa_prodcons", stream, n);
		add_routes("numa_remote_free", remote_free, n);
	}
}
