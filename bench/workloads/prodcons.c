/* SPDX-License-Identifier: MIT */
/*
 * How many objects a second can one thread allocate and another, on another CPU, free? They are
 * handed over through a bounded ring with one producer and one consumer, BURST pointers at a time.
 */
#include "workloads/workload.h"

#include <stdatomic.h>

#define RING 1024
#define BURST 32

static struct workload_pool pools[] = {
	{.size = 64, .objects = RING},
	{.size = 256, .objects = RING},
	{.size = 1024, .objects = RING},
};

/* Each index has a line of its own, and so has the neighbour that is fetched with it. */
static _Alignas(128) _Atomic size_t produced;
static _Alignas(128) _Atomic size_t consumed;
static _Alignas(128) void *ring[RING];

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ __volatile__("" : : : "memory");
#endif
}

static void produce(peer_pool pool)
{
	size_t at = atomic_load_explicit(&produced, memory_order_relaxed);

	/* acquire: the consumer has read the entries that are overwritten here. */
	while (at + BURST - atomic_load_explicit(&consumed, memory_order_acquire) > RING)
		relax();
	for (size_t i = at; i < at + BURST; i++) {
		void *p = bench_take(pool);

		workload_touch(p, i);
		ring[i % RING] = p;
	}
	/* release: entries and objects are written. */
	atomic_store_explicit(&produced, at + BURST, memory_order_release);
}

static void consume(peer_pool pool)
{
	size_t at = atomic_load_explicit(&consumed, memory_order_relaxed);

	while (atomic_load_explicit(&produced, memory_order_acquire) - at < BURST)
		relax();
	for (size_t i = at; i < at + BURST; i++) {
		void *p = ring[i % RING];

		if (*(volatile size_t *)p != i)
			bench_die("producer/consumer: an object was handed out twice");
		peer_free(pool, p);
	}
	atomic_store_explicit(&consumed, at + BURST, memory_order_release);
}

static void prodcons(struct bench_state *st, void *arg)
{
	peer_pool pool = workload_enter(st, arg);

	if (host_cpus() < 2) {
		bench_skip_with_error(st, "needs two CPUs");
	} else if (bench_thread_index(st)) {
		while (bench_keep_running_batch(st, BURST))
			consume(pool);
		bench_set_items_processed(st, bench_iterations(st));
	} else {
		while (bench_keep_running_batch(st, BURST))
			produce(pool);
	}
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
