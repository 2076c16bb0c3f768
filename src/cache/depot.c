/* SPDX-License-Identifier: MIT */
/* The depot, see depot.h. */
#include "cache.h"

/* Watermarks of depots deeper than this are looked at once in so many exchanges: it costs a line. */
#define LOOK_EVERY 4u
/* So many magazines that a slot put wait for that slot, last in first out. */
#define NEAR 4u
/* After so many magazines that another slot put, a cache is one whose objects die on another CPU. */
#define HANDED_OVER 16u

/*
 * The next owner goes through all of it soon, and it comes from another CPU's cache: have the lines fetched
 * side by side rather than one after the other. In the order of use: a full one from its top down, an empty
 * one from its first element up.
 */
static void prefetch_down(uint32_t class, uintptr_t word)
{
	uintptr_t base = bma__mag_base(class, word);

	for (uintptr_t line = word; line >= base; line -= BMA_CACHELINE)
		__builtin_prefetch((const void *)line, 1);
}

static void prefetch_up(uint32_t class, uintptr_t word)
{
	uintptr_t end = bma__mag_base(class, word) + bma__mag_size(class);

	for (uintptr_t line = word; line < end; line += BMA_CACHELINE)
		__builtin_prefetch((const void *)line, 1);
}

static uint32_t difference(const _Atomic uint64_t *more, const _Atomic uint64_t *less)
{
	uint64_t l = atomic_load_explicit(less, memory_order_relaxed);
	uint64_t m = atomic_load_explicit(more, memory_order_relaxed);

	return m > l ? (uint32_t)(m - l) : 0;
}

uint32_t bma__depot_depth(const struct bma__depot *d)
{
	return difference(&d->puts, &d->gets);
}

uint32_t bma__depot_empties(const struct bma__depot *d)
{
	return difference(&d->empty_puts, &d->empty_gets);
}

uint64_t bma__depot_exchanges(const struct bma__depot *d)
{
	return atomic_load_explicit(&d->puts, memory_order_relaxed) +
	       atomic_load_explicit(&d->gets, memory_order_relaxed) +
	       atomic_load_explicit(&d->empty_puts, memory_order_relaxed) +
	       atomic_load_explicit(&d->empty_gets, memory_order_relaxed) -
	       atomic_load_explicit(&d->ours, memory_order_relaxed);
}

static uint64_t length(struct bma__engine *e, const struct bma__mag_stack *stack)
{
	uint32_t index = (uint32_t)atomic_load_explicit(&stack->head, memory_order_acquire);
	uint64_t n = 0;

	for (; index; index = bma__stack_next(e->class, index))
		n++;
	return n;
}

void bma__depot_recount(struct bma__engine *e, struct bma__depot *d)
{
	uint64_t full = 0;

	for (uint32_t i = 0; i < BMA__DEPOT_STACKS; i++)
		full += length(e, bma__depot_stack(d, i));
	for (uint32_t i = 0; i < BMA__DEPOT_LOCAL; i++)
		atomic_store_explicit(&d->local[i].n, (uint32_t)length(e, &d->local[i].near),
				      memory_order_relaxed);
	atomic_store_explicit(&d->puts, atomic_load_explicit(&d->gets, memory_order_relaxed) + full,
			      memory_order_relaxed);
	atomic_store_explicit(&d->empty_puts,
			      atomic_load_explicit(&d->empty_gets, memory_order_relaxed) +
				      length(e, &d->empty),
			      memory_order_relaxed);
}

static uintptr_t take_near(struct bma__engine *e, struct bma__depot_local *l)
{
	uintptr_t word;

	if (!atomic_load_explicit(&l->n, memory_order_relaxed))
		return 0;
	word = bma__stack_pop(&l->near, e->class);
	if (word)
		atomic_fetch_sub_explicit(&l->n, 1, memory_order_relaxed);
	return word;
}

static uintptr_t take_all_near(struct bma__engine *e, struct bma__depot *d)
{
	uintptr_t word = 0;

	for (uint32_t i = 0; i < BMA__DEPOT_LOCAL && !word; i++)
		word = take_near(e, &d->local[i]);
	return word;
}

/* What came back from grace periods: to the slot of @plane first. */
static uintptr_t take_recent(struct bma__engine *e, struct bma__depot *d, uint32_t plane)
{
	uintptr_t word = 0;

	for (uint32_t i = 0; i < BMA__DEPOT_LOCAL && !word; i++)
		word = bma__stack_pop(&d->local[(plane + i) % BMA__DEPOT_LOCAL].recent, e->class);
	return word;
}

static uintptr_t take_stock(struct bma__engine *e, struct bma__depot *d)
{
	uint64_t first = atomic_load_explicit(&d->gets, memory_order_relaxed);
	uintptr_t word = 0;

	for (uint32_t i = 0; i < BMA__DEPOT_RING && !word; i++)
		word = bma__stack_pop(&d->full[(first + i) % BMA__DEPOT_RING], e->class);
	return word;
}

/*
 * One round over all stacks: a magazine in hand, or 0; @nth: how many had been got before. @plane: for which slot, or
 * UINT32_MAX for none: what is drained is first what came back from grace periods, which may be hardly filled, then the oldest.
 */
static uintptr_t take_once(struct bma__engine *e, struct bma__depot *d, uint32_t plane,
			   uint64_t *nth)
{
	uintptr_t word = 0;

	if (plane != UINT32_MAX) {
		word = take_near(e, &d->local[plane % BMA__DEPOT_LOCAL]);
		if (!word)
			word = take_recent(e, d, plane);
	} else {
		word = take_recent(e, d, 0);
	}
	if (!word)
		word = take_stock(e, d);
	if (!word)
		word = take_all_near(e, d);
	if (word)
		*nth = atomic_fetch_add_explicit(&d->gets, 1, memory_order_relaxed);
	return word;
}

/* The sum of all heads' tags, if all stacks are empty. */
static bool all_empty(struct bma__depot *d, uint32_t *tags)
{
	*tags = 0;
	for (uint32_t i = 0; i < BMA__DEPOT_STACKS; i++) {
		uint64_t head =
			atomic_load_explicit(&bma__depot_stack(d, i)->head, memory_order_acquire);

		if ((uint32_t)head)
			return false;
		*tags += (uint32_t)(head >> 32);
	}
	return true;
}

/*
 * A round that finds nothing proves nothing: a magazine may be put behind its back while another, before it, is got. So
 * nothing is said before two looks at all heads found them empty and the same. A head's tag counts its changes, so
 * then all were empty at the moment between the two, which are in order: acquire. Another round means that somebody
 * changed a head: lock-free.
 */
static uintptr_t take(struct bma__engine *e, struct bma__depot *d, uint32_t plane, uint64_t *nth)
{
	uint32_t first, second;
	uintptr_t word;

	do
		word = take_once(e, d, plane, nth);
	while (!word && !(all_empty(d, &first) && all_empty(d, &second) && first == second));
	return word;
}

static uint64_t put(struct bma__engine *e, struct bma__depot *d, uintptr_t word)
{
	uint64_t nth = atomic_fetch_add_explicit(&d->puts, 1, memory_order_relaxed);

	bma__stack_push(&d->full[nth % BMA__DEPOT_RING], e->class, word);
	return nth;
}

/* The same for the slot that this comes from, if not much waits for it there. */
static uint64_t put_near(struct bma__engine *e, struct bma__depot *d, uintptr_t word)
{
	uint32_t plane = bma__plane_home();
	struct bma__depot_local *l = &d->local[plane % BMA__DEPOT_LOCAL];
	uint64_t nth;

	*bma__mag_plane(bma__mag_base(e->class, word)) = plane;
	if (atomic_load_explicit(&l->n, memory_order_relaxed) >= NEAR)
		return put(e, d, word);
	atomic_fetch_add_explicit(&l->n, 1, memory_order_relaxed);
	nth = atomic_fetch_add_explicit(&d->puts, 1, memory_order_relaxed);
	bma__stack_push(&l->near, e->class, word);
	return nth;
}

static bool looks(uint64_t nth, uint32_t mark)
{
	return mark <= LOOK_EVERY || nth % LOOK_EVERY == 0;
}

/* A magazine in hand that another slot put: where that is the rule the stock is to be deep, see default_target(). */
static void handed_over(struct bma__engine *e, struct bma__depot *d)
{
	if (atomic_load_explicit(&e->hands_over, memory_order_relaxed) ||
	    atomic_fetch_add_explicit(&d->handed, 1, memory_order_relaxed) + 1 < HANDED_OVER)
		return;
	atomic_store_explicit(&e->hands_over, true, memory_order_relaxed);
	bma__worker_kick(e);
}

static uintptr_t get_from(struct bma__engine *e, struct bma__depot *d, uint32_t plane)
{
	uint32_t low = atomic_load_explicit(&e->low_mags, memory_order_relaxed), left;
	uint64_t nth;
	uintptr_t word = take(e, d, plane, &nth);

	if (!word)
		return 0;
	prefetch_down(e->class, word);
	if (*bma__mag_plane(bma__mag_base(e->class, word)) != plane)
		handed_over(e, d);
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
	uint32_t nodes = bma__topo.nodes, node = bma__topo_node_now(), plane = bma__plane_home();

	for (uint32_t i = 0; i < nodes; i++) {
		uintptr_t word = get_from(e, &e->depot[(node + i) % nodes], plane);

		if (word)
			return word;
	}
	return 0;
}

static void watch(struct bma__engine *e, const struct bma__depot *d, uint32_t high)
{
	if (bma__depot_depth(d) <= high)
		return;
	/* Either the worker sees how deep the depot is, or this sees that it no longer watches. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&e->watched, memory_order_relaxed))
		bma__worker_kick(e);
}

void bma__depot_put(struct bma__engine *e, uintptr_t word)
{
	struct bma__depot *d = &e->depot[bma__topo_node_now()];
	uint32_t high = atomic_load_explicit(&e->high_mags, memory_order_relaxed);
	uint64_t nth = put_near(e, d, word);

	if (looks(nth, high))
		watch(e, d, high);
}

void bma__depot_watch(struct bma__engine *e)
{
	watch(e, &e->depot[bma__topo_node_now()],
	      atomic_load_explicit(&e->high_mags, memory_order_relaxed));
}

uintptr_t bma__depot_remove(struct bma__engine *e, struct bma__depot *d)
{
	uint64_t nth;
	uintptr_t word = take(e, d, UINT32_MAX, &nth);

	if (word)
		atomic_fetch_add_explicit(&d->ours, 1, memory_order_relaxed);
	return word;
}

void bma__depot_add(struct bma__engine *e, struct bma__depot *d, uintptr_t word)
{
	put(e, d, word);
	atomic_fetch_add_explicit(&d->ours, 1, memory_order_relaxed);
}

void bma__depot_gather(struct bma__engine *e, struct bma__depot_batch *batch, uintptr_t word)
{
	uintptr_t plane = *bma__mag_plane(bma__mag_base(e->class, word));

	bma__stack_append(&batch->chain[plane % BMA__DEPOT_LOCAL], e->class, word);
	batch->n++;
}

void bma__depot_return(struct bma__engine *e, struct bma__depot *d,
		       const struct bma__depot_batch *batch)
{
	atomic_fetch_add_explicit(&d->puts, batch->n, memory_order_relaxed);
	for (uint32_t i = 0; i < BMA__DEPOT_LOCAL; i++)
		bma__stack_push_chain(&d->local[i].recent, e->class, &batch->chain[i]);
	atomic_fetch_add_explicit(&d->ours, batch->n, memory_order_relaxed);
}

uintptr_t bma__depot_get_empty(struct bma__engine *e)
{
	struct bma__depot *d = &e->depot[bma__topo_node_now()];
	uintptr_t word = bma__stack_pop(&d->empty, e->class);

	if (!word)
		return bma__mag_new(e->class);
	prefetch_up(e->class, word);
	atomic_fetch_add_explicit(&d->empty_gets, 1, memory_order_relaxed);
	return word;
}

void bma__depot_put_empty(struct bma__engine *e, uintptr_t word)
{
	struct bma__depot *d = &e->depot[bma__topo_node_now()];

	bma__stack_push(&d->empty, e->class, word);
	atomic_fetch_add_explicit(&d->empty_puts, 1, memory_order_relaxed);
}
