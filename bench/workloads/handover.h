/* SPDX-License-Identifier: MIT */
/*
 * Objects go from the thread that allocates them to the one that frees them: through a bounded ring
 * with one producer and one consumer, HANDOVER_BURST pointers at a time.
 */
#ifndef BENCH_HANDOVER_H
#define BENCH_HANDOVER_H

#include "crew.h"
#include "workloads/workload.h"

#include <sched.h>

/** HANDOVER_RING - Objects that may be on their way. */
#define HANDOVER_RING 1024
/** HANDOVER_BURST - Objects handed over at once. */
#define HANDOVER_BURST 32

/**
 * struct handover - A ring.
 *
 * Each index has a line of its own, and so has the neighbour that is fetched with it.
 */
struct handover {
	_Alignas(128) _Atomic size_t produced;
	_Alignas(128) _Atomic size_t consumed;
	_Alignas(128) void *ring[HANDOVER_RING];
};

/**
 * handover_wait - In a loop that waits for the other thread.
 * @shares: it may want this CPU; @spins: counts the rounds of the loop.
 */
static inline void handover_wait(bool shares, unsigned int *spins)
{
	if (shares && ++*spins % 64 == 0)
		sched_yield();
	crew_relax();
}

/**
 * handover_produce - Allocate a burst of objects, write a word of each, hand them over. @shares: as
 * above, and constant.
 */
static inline __attribute__((always_inline)) void handover_produce(struct handover *h,
								   peer_pool pool, bool shares)
{
	size_t at = atomic_load_explicit(&h->produced, memory_order_relaxed);
	unsigned int spins = 0;

	/* acquire: the consumer has read the entries that are overwritten here. */
	while (at + HANDOVER_BURST - atomic_load_explicit(&h->consumed, memory_order_acquire) >
	       HANDOVER_RING)
		handover_wait(shares, &spins);
	for (size_t i = at; i < at + HANDOVER_BURST; i++) {
		void *p = bench_take(pool);

		workload_touch(p, i);
		h->ring[i % HANDOVER_RING] = p;
	}
	/* release: entries and objects are written. */
	atomic_store_explicit(&h->produced, at + HANDOVER_BURST, memory_order_release);
}

/** handover_consume - Read a word of each object of a burst, free it. */
static inline __attribute__((always_inline)) void handover_consume(struct handover *h,
								   peer_pool pool, bool shares)
{
	size_t at = atomic_load_explicit(&h->consumed, memory_order_relaxed);
	unsigned int spins = 0;

	while (atomic_load_explicit(&h->produced, memory_order_acquire) - at < HANDOVER_BURST)
		handover_wait(shares, &spins);
	for (size_t i = at; i < at + HANDOVER_BURST; i++) {
		void *p = h->ring[i % HANDOVER_RING];

		if (*(volatile size_t *)p != i)
			bench_die("an object was handed out twice");
		peer_free(pool, p);
	}
	atomic_store_explicit(&h->consumed, at + HANDOVER_BURST, memory_order_release);
}

/**
 * handover_run - The loop of a body that two threads run: the first one produces, the second one
 * consumes and counts the items.
 */
static inline __attribute__((always_inline)) void handover_run(struct bench_state *st,
							       struct handover *h, peer_pool pool)
{
	if (bench_thread_index(st)) {
		while (bench_keep_running_batch(st, HANDOVER_BURST))
			handover_consume(h, pool, false);
		bench_set_items_processed(st, bench_iterations(st));
	} else {
		while (bench_keep_running_batch(st, HANDOVER_BURST))
			handover_produce(h, pool, false);
	}
}

#endif /* BENCH_HANDOVER_H */
