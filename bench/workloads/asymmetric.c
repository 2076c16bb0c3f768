/* SPDX-License-Identifier: MIT */
/*
 * Many threads allocate, one frees: how many objects a second? Each of PRODUCERS has a bounded ring
 * of its own to the one thread that takes BURST objects from each ring in turn and frees them. Where
 * there are fewer CPUs than threads the producers share all but the first.
 */
#include "workloads/workload.h"

#include <stdatomic.h>

#define PRODUCERS 3
#define RING 1024
#define BURST 32

static struct workload_pool pools[] = {
	{.size = 64, .objects = PRODUCERS * RING},
	{.size = 1024, .objects = PRODUCERS * RING},
};

/* One producer, one consumer; a line each, and the one that is fetched with it. */
struct ring {
	_Alignas(128) _Atomic size_t produced;
	_Alignas(128) _Atomic size_t consumed;
	_Alignas(128) void *entries[RING];
};

static struct ring rings[PRODUCERS];

static void produce(peer_pool pool, struct ring *ring)
{
	size_t at = atomic_load_explicit(&ring->produced, memory_order_relaxed);
	unsigned int spins = 0;

	/* acquire: the consumer has read the entries that are overwritten here. */
	while (at + BURST - atomic_load_explicit(&ring->consumed, memory_order_acquire) > RING)
		workload_relax(&spins);
	for (size_t i = at; i < at + BURST; i++) {
		void *p = bench_take(pool);

		workload_touch(p, i);
		ring->entries[i % RING] = p;
	}
	/* release: entries and objects are written. */
	atomic_store_explicit(&ring->produced, at + BURST, memory_order_release);
}

static void consume(peer_pool pool, struct ring *ring)
{
	size_t at = atomic_load_explicit(&ring->consumed, memory_order_relaxed);
	unsigned int spins = 0;

	while (atomic_load_explicit(&ring->produced, memory_order_acquire) - at < BURST)
		workload_relax(&spins);
	for (size_t i = at; i < at + BURST; i++) {
		void *p = ring->entries[i % RING];

		if (*(volatile size_t *)p != i)
			bench_die("asymmetric: an object was handed out twice");
		peer_free(pool, p);
	}
	atomic_store_explicit(&ring->consumed, at + BURST, memory_order_release);
}

static void asymmetric(struct bench_state *st, void *arg)
{
	int self = bench_thread_index(st);
	peer_pool pool;

	if (workload_too_few_cpus(st, 2))
		return;
	pool = workload_enter(st, arg);
	if (self) {
		host_pin(1 + (self - 1) % (host_cpus() - 1));
		while (bench_keep_running_batch(st, BURST))
			produce(pool, &rings[self - 1]);
	} else {
		while (bench_keep_running_batch(st, BURST)) {
			for (size_t i = 0; i < PRODUCERS; i++)
				consume(pool, &rings[i]);
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
