/* SPDX-License-Identifier: MIT */
/*
 * Threads that free what others allocated, after Lever and Boreham's malloc-test (2000): each makes
 * a batch of BATCH objects of one size, puts it in a random one of the places that all threads share, and
 * frees the batch that lay there, whoever made it.
 */
#include "workloads/sizes.h"

#include <stdatomic.h>
#include <stdlib.h>

#define BATCH 120
/* Places for each thread: batches wait in about as many. */
#define PLACES 4
#define MOST_PLACES 4096

static struct workload_pool pools[SIZES] = SIZES_POOLS(BATCH * 64);

struct batch {
	struct sizes_object objects[BATCH];
};

static _Atomic(struct batch *) places[MOST_PLACES];

/* All objects of a batch are of the size that @random says. */
static void make(const peer_pool *from, struct batch *batch, uint64_t random)
{
	for (size_t i = 0; i < BATCH; i++)
		batch->objects[i] = sizes_take(from, random);
}

static void give(const peer_pool *to, const struct batch *batch)
{
	for (size_t i = 0; i < BATCH; i++)
		sizes_give(to, batch->objects[i]);
}

static struct batch *fresh(void)
{
	struct batch *batch = aligned_alloc(128, (sizeof(*batch) + 127) / 128 * 128);

	if (!batch)
		bench_die("out of memory");
	return batch;
}

static void xmalloc(struct bench_state *st, void *arg)
{
	uint64_t seed = 2463534242u + (uint64_t)bench_thread_index(st);
	size_t n = (size_t)bench_thread_count(st) * PLACES;
	struct batch *batch = fresh();
	peer_pool mine[SIZES];

	(void)arg;
	if (n > MOST_PLACES)
		n = MOST_PLACES;
	if (bench_thread_index(st))
		peer_thread_enter();
	workload_pools(pools, mine, SIZES, bench_thread_index(st));
	while (bench_keep_running_batch(st, BATCH)) {
		uint64_t random = workload_random(&seed);

		make(mine, batch, random);
		/* The objects were written by who makes them, and are read by who frees them. */
		batch = atomic_exchange_explicit(&places[random % n], batch, memory_order_acq_rel);
		if (batch)
			give(mine, batch);
		else
			batch = fresh();
	}
	bench_set_items_processed(st, bench_iterations(st));
	free(batch);
	for (size_t i = 0; !bench_thread_index(st) && i < n; i++) {
		batch = atomic_exchange_explicit(&places[i], NULL, memory_order_acq_rel);
		if (batch)
			give(mine, batch);
		free(batch);
	}
	workload_leave(st);
}

void xmalloc_register(void)
{
	struct bench *b = bench_register("xmalloc", xmalloc, NULL);

	bench_threads(b, host_cpus() > 1 ? host_cpus() : 1);
	bench_use_real_time(b);
}
