/* SPDX-License-Identifier: MIT */
/*
 * A server's churn, after Larson and Krishnan (1998): each thread replaces random ones of OBJECTS
 * objects of random sizes, and now and then leaves them all to another thread and takes over those
 * that a thread has left. So most of what a thread frees was allocated by it, and the rest by others.
 */
#include "workloads/sizes.h"

#include <stdatomic.h>
#include <stdlib.h>

#define OBJECTS 1024
/* Replacements between two hand-overs. */
#define STINT 8192

static struct workload_pool pools[SIZES] = SIZES_POOLS(OBJECTS * 16);

struct rack {
	struct sizes_object objects[OBJECTS];
};

/* What a thread has left and none has taken over. */
static _Atomic(struct rack *) desk;

static struct rack *filled(const peer_pool *from, uint64_t *seed)
{
	struct rack *rack = aligned_alloc(128, (sizeof(*rack) + 127) / 128 * 128);

	if (!rack)
		bench_die("out of memory");
	for (size_t i = 0; i < OBJECTS; i++)
		rack->objects[i] = sizes_take(from, workload_random(seed));
	return rack;
}

static void emptied(const peer_pool *to, struct rack *rack)
{
	for (size_t i = 0; rack && i < OBJECTS; i++)
		sizes_give(to, rack->objects[i]);
	free(rack);
}

static void stint(const peer_pool *from, struct rack *rack, uint64_t *seed)
{
	for (int i = 0; i < STINT; i++) {
		uint64_t random = workload_random(seed);
		struct sizes_object *o = &rack->objects[random % OBJECTS];

		sizes_give(from, *o);
		*o = sizes_take(from, random);
	}
}

static void larson(struct bench_state *st, void *arg)
{
	uint64_t seed = 2463534242u + (uint64_t)bench_thread_index(st);
	peer_pool mine[SIZES];
	struct rack *rack;

	(void)arg;
	if (bench_thread_index(st))
		peer_thread_enter();
	workload_pools(pools, mine, SIZES, bench_thread_index(st));
	rack = filled(mine, &seed);
	while (bench_keep_running_batch(st, STINT)) {
		stint(mine, rack, &seed);
		/* The objects were written by who leaves them, and are read by who takes them. */
		rack = atomic_exchange_explicit(&desk, rack, memory_order_acq_rel);
		if (!rack)
			rack = filled(mine, &seed);
	}
	bench_set_items_processed(st, bench_iterations(st));
	emptied(mine, rack);
	if (!bench_thread_index(st))
		emptied(mine, atomic_exchange_explicit(&desk, NULL, memory_order_acq_rel));
	workload_leave(st);
}

void larson_register(void)
{
	struct bench *b = bench_register("larson", larson, NULL);

	bench_threads(b, 1);
	if (host_cpus() > 1)
		bench_threads(b, host_cpus());
	bench_use_real_time(b);
}
