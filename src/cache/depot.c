/* SPDX-License-Identifier: MIT */
/* The depot, see depot.h. */
#include "cache.h"

#include <sched.h>

/* Watermarks of depots deeper than this are looked at once in so many exchanges: it costs a line. */
#define LOOK_EVERY 4u

/* Node of the CPU that runs this; with one node nobody asks. */
static uint32_t node_now(void)
{
	int cpu;

	if (bma__topo.nodes == 1)
		return 0;
	cpu = sched_getcpu();
	return cpu < 0 ? 0 : bma__topo_node((uint32_t)cpu);
}

/* The next owner reads all of it soon, and it comes from another CPU's cache. */
static void prefetch(uint32_t class, uintptr_t word)
{
	for (uintptr_t line = bma__mag_base(class, word); line <= word; line += BMA_CACHELINE)
		__builtin_prefetch((const void *)line, 1);
}

uint32_t bma__depot_depth(const struct bma__depot *d)
{
	uint64_t gets = atomic_load_explicit(&d->gets, memory_order_relaxed);
	uint64_t puts = atomic_load_explicit(&d->puts, memory_order_relaxed);

	return puts > gets ? (uint32_t)(puts - gets) : 0;
}

uint64_t bma__depot_exchanges(const struct bma__depot *d)
{
	return atomic_load_explicit(&d->puts, memory_order_relaxed) +
	       atomic_load_explicit(&d->gets, memory_order_relaxed) +
	       atomic_load_explicit(&d->empty_exchanges, memory_order_relaxed) -
	       atomic_load_explicit(&d->ours, memory_order_relaxed);
}

/* A magazine of the ring, in hand; @nth: how many had been got before. */
static uintptr_t take(struct bma__engine *e, struct bma__depot *d, uint64_t *nth)
{
	uint64_t first = atomic_load_explicit(&d->gets, memory_order_relaxed);

	for (uint32_t i = 0; i < BMA__DEPOT_RING; i++) {
		uintptr_t word = bma__stack_pop(&d->full[(first + i) % BMA__DEPOT_RING], e->class);

		if (!word)
			continue;
		*nth = atomic_fetch_add_explicit(&d->gets, 1, memory_order_relaxed);
		return word;
	}
	return 0;
}

static uint64_t put(struct bma__engine *e, struct bma__depot *d, uintptr_t word)
{
	uint64_t nth = atomic_fetch_add_explicit(&d->puts, 1, memory_order_relaxed);

	bma__stack_push(&d->full[nth % BMA__DEPOT_RING], e->class, word);
	return nth;
}

static bool looks(uint64_t nth, uint32_t mark)
{
	return mark <= LOOK_EVERY || nth % LOOK_EVERY == 0;
}

static uintptr_t get_from(struct bma__engine *e, struct bma__depot *d)
{
	uint32_t low = atomic_load_explicit(&e->low_mags, memory_order_relaxed), left;
	uint64_t nth;
	uintptr_t word = take(e, d, &nth);

	if (!word)
		return 0;
	prefetch(e->class, word);
	if (!looks(nth, low))
		return word;
	left = bma__depot_depth(d);
	if (left < atomic_load_explicit(&d->low_seen, memory_order_relaxed))
		atomic_store_explicit(&d->low_seen, left, memory_order_relaxed);
	if (left < low)
		bma__worker_kick(e);
	return word;
}

uintptr_t bma__depot_get(struct bma__engine *e)
{
	uint32_t nodes = bma__topo.nodes, node = node_now();

	for (uint32_t i = 0; i < nodes; i++) {
		uintptr_t word = get_from(e, &e->depot[(node + i) % nodes]);

		if (word)
			return word;
	}
	return 0;
}

void bma__depot_put(struct bma__engine *e, uintptr_t word)
{
	struct bma__depot *d = &e->depot[node_now()];
	uint32_t high = atomic_load_explicit(&e->high_mags, memory_order_relaxed);
	uint64_t nth = put(e, d, word);

	if (looks(nth, high) && bma__depot_depth(d) > high &&
	    !atomic_load_explicit(&e->watched, memory_order_relaxed))
		bma__worker_kick(e);
}

uintptr_t bma__depot_remove(struct bma__engine *e, struct bma__depot *d)
{
	uint64_t nth;
	uintptr_t word = take(e, d, &nth);

	if (word)
		atomic_fetch_add_explicit(&d->ours, 1, memory_order_relaxed);
	return word;
}

void bma__depot_add(struct bma__engine *e, struct bma__depot *d, uintptr_t word)
{
	put(e, d, word);
	atomic_fetch_add_explicit(&d->ours, 1, memory_order_relaxed);
}

uintptr_t bma__depot_get_empty(struct bma__engine *e)
{
	struct bma__depot *d = &e->depot[node_now()];
	uintptr_t word = bma__stack_pop(&d->empty, e->class);

	if (!word)
		return bma__mag_new(e->class);
	atomic_fetch_add_explicit(&d->empty_exchanges, 1, memory_order_relaxed);
	return word;
}

void bma__depot_put_empty(struct bma__engine *e, uintptr_t word)
{
	struct bma__depot *d = &e->depot[node_now()];

	bma__stack_push(&d->empty, e->class, word);
	atomic_fetch_add_explicit(&d->empty_exchanges, 1, memory_order_relaxed);
}
