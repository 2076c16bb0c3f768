/* SPDX-License-Identifier: MIT */
/* The depot, see depot.h. Ordering: MO-1 (docs/memory-ordering.md). */
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

uint32_t bma__depot_depth(const struct bma__depot *d)
{
	uint64_t gets = bma__count_read(&d->gets), puts = bma__count_read(&d->puts);

	return puts > gets ? (uint32_t)(puts - gets) : 0;
}

uint32_t bma__depot_empties(const struct bma__depot *d)
{
	uint64_t gets = atomic_load_explicit(&d->empty_gets, memory_order_relaxed);
	uint64_t puts = atomic_load_explicit(&d->empty_puts, memory_order_relaxed);

	return puts > gets ? (uint32_t)(puts - gets) : 0;
}

uint64_t bma__depot_exchanges(const struct bma__depot *d)
{
	return bma__count_read(&d->puts) + bma__count_read(&d->gets) +
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
	uint64_t full = 0, gets = bma__count_read(&d->gets);

	for (uint32_t i = 0; i < BMA__DEPOT_STACKS; i++)
		full += length(e, bma__depot_stack(d, i));
	for (uint32_t i = 0; i < BMA__DEPOT_LOCAL; i++)
		atomic_store_explicit(&d->local[i].n, (uint32_t)length(e, &d->local[i].near),
				      memory_order_relaxed);
	bma__count_anew(&d->gets, gets, bma__ticket_generation());
	bma__count_anew(&d->puts, gets + full, bma__ticket_generation());
	atomic_store_explicit(&d->empty_puts,
			      atomic_load_explicit(&d->empty_gets, memory_order_relaxed) +
				      length(e, &d->empty),
			      memory_order_relaxed);
}

/* After a pop; @generation: of before it. Returns how many had been got. */
static uint64_t count_get(struct bma__depot *d, uint32_t generation)
{
	uint64_t nth;

	/* A child of fork has counted since, with it or without it: let it be one too many rather than one too few. */
	if (bma__count_add(&d->gets, 1, &nth) != generation)
		bma__count_raise(&d->puts, 1);
	return nth;
}

/* Before a push of @n. Returns how many had been put; *@generation: for counted(). */
static uint64_t count_put(struct bma__depot *d, uint64_t n, uint32_t *generation)
{
	uint64_t nth;

	*generation = bma__count_add(&d->puts, n, &nth);
	return nth;
}

/* After the push: as count_get(). */
static void counted(struct bma__depot *d, uint64_t n, uint32_t generation)
{
	if (bma__unlikely(bma__count_generation(&d->puts) != generation))
		bma__count_raise(&d->puts, n);
}

static uintptr_t take_near(struct bma__engine *e, struct bma__depot_local *l)
{
	uintptr_t word = bma__stack_pop(&l->near, e->class);
	uint32_t n = atomic_load_explicit(&l->n, memory_order_relaxed);

	/* A handler's fork between a push and its count, or a pop and its, may have counted anew: it is one too few then. */
	while (word && n &&
	       !atomic_compare_exchange_weak_explicit(&l->n, &n, n - 1, memory_order_relaxed,
						      memory_order_relaxed))
		;
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
	uint64_t first = bma__count_read(&d->gets);
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
	uint32_t generation = bma__count_generation(&d->gets);
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
		*nth = count_get(d, generation);
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
 * Two looks at all heads found them empty and the same. A head's tag counts its changes, so then all were empty at the moment
 * between the two, which are in order: acquire.
 */
bool bma__depot_is_empty(struct bma__depot *d)
{
	uint32_t first, second;

	return all_empty(d, &first) && all_empty(d, &second) && first == second;
}

/*
 * A round that finds nothing proves nothing: a magazine may be put behind its back while another, before it, is got. Another round
 * means that somebody changed a head: lock-free.
 */
static uintptr_t take(struct bma__engine *e, struct bma__depot *d, uint32_t plane, uint64_t *nth)
{
	uintptr_t word;

	/* That is proved where nobody is stopped in between, see depot.h. */
	if (!bma__depot_depth(d))
		return 0;
	do
		word = take_once(e, d, plane, nth);
	while (!word && !bma__depot_is_empty(d));
	return word;
}

static uint64_t put(struct bma__engine *e, struct bma__depot *d, uintptr_t word)
{
	uint32_t generation;
	uint64_t nth = count_put(d, 1, &generation);

	bma__stack_push(&d->full[nth % BMA__DEPOT_RING], e->class, word);
	counted(d, 1, generation);
	return nth;
}

/* The same for the slot that this comes from, if not much waits for it there. */
static uint64_t put_near(struct bma__engine *e, struct bma__depot *d, uintptr_t word)
{
	uint32_t plane = bma__plane_home();
	struct bma__depot_local *l = &d->local[plane % BMA__DEPOT_LOCAL];
	uint32_t generation;
	uint64_t nth;

	*bma__mag_plane(bma__mag_base(e->class, word)) = plane;
	if (atomic_load_explicit(&l->n, memory_order_relaxed) >= NEAR)
		return put(e, d, word);
	atomic_fetch_add_explicit(&l->n, 1, memory_order_relaxed);
	nth = count_put(d, 1, &generation);
	bma__stack_push(&l->near, e->class, word);
	counted(d, 1, generation);
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
	uintptr_t word = take(e, d, plane, &nth), from;

	if (!word)
		return 0;
	prefetch_down(e->class, word);
	from = *bma__mag_plane(bma__mag_base(e->class, word));
	if (from != plane && from < BMA__PLANE_NONE)
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

/* The caller's own depot had none. */
static uintptr_t get_from_others(struct bma__engine *e, uint32_t node, uint32_t plane)
{
	uintptr_t word = 0;

	bma__topo_for_each_from (node, other, i) {
		word = i ? get_from(e, &e->depot[other], plane) : 0;
		if (!word)
			continue;
		atomic_fetch_add_explicit(&e->depot[other].lent, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&e->depot[node].borrowed, 1, memory_order_relaxed);
		bma__worker_kick(e); /* it is this node's stock that is too small */
		break;
	}
	return word;
}

uintptr_t bma__depot_get(struct bma__engine *e, bool near)
{
	uint32_t node = bma__topo_node_now(), plane = bma__plane_home();
	uintptr_t word = get_from(e, &e->depot[node], plane);

	bma__engine_use_node(e, node);
	if (bma__likely(word) || near || bma__topo.nodes == 1 || e->numa.flags & BMA_NUMA_STRICT)
		return word;
	return get_from_others(e, node, plane);
}

uintptr_t bma__depot_get_on(struct bma__engine *e, uint32_t node)
{
	return get_from(e, &e->depot[node], bma__plane_home());
}

/* Node of an object's slab; that of a guarded sample is @node. */
static uint32_t node_of(const void *obj, uint32_t node)
{
	const struct bma__slab *s = bma__chunk_slab(obj);

	return s && s->node < bma__topo.nodes ? s->node : node;
}

/* The node of a full magazine in hand of somebody on @node. */
static uint32_t home_of(const struct bma__engine *e, uintptr_t word, uint32_t node)
{
	void **objs = bma__mag_elements(bma__mag_base(e->class, word));
	uint32_t n = bma__mag_count(e->class, word), home;

	if (bma__likely(bma__topo.nodes == 1) || !n || !bma__engine_local(e))
		return node;
	home = node_of(objs[n - 1], node);
	return home == node_of(objs[0], node) && home == node_of(objs[n / 2], node) ? home : node;
}

/* A magazine in hand to the depot of its objects' node, which is not the caller's. */
static void send_home(struct bma__engine *e, uint32_t home, uintptr_t word, uintptr_t plane)
{
	atomic_fetch_add_explicit(&bma__nodes[home].home_returns, bma__mag_count(e->class, word),
				  memory_order_relaxed);
	*bma__mag_plane(bma__mag_base(e->class, word)) = plane;
	put(e, &e->depot[home], word);
}

static void watch(struct bma__engine *e, const struct bma__depot *d, uint32_t high)
{
	if (bma__depot_depth(d) <= high)
		return;
	/* Either the worker sees how deep the depot is, or this sees that it no longer watches. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&e->watched, memory_order_relaxed))
		bma__worker_look(e);
}

void bma__depot_put(struct bma__engine *e, uintptr_t word)
{
	uint32_t node = bma__topo_node_now(), home = home_of(e, word, node);
	struct bma__depot *d = &e->depot[home];
	uint32_t high = atomic_load_explicit(&e->high_mags, memory_order_relaxed);
	uint64_t nth = 0;

	if (bma__likely(home == node))
		nth = put_near(e, d, word);
	else
		send_home(e, home, word, bma__plane_home());
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

	if (!word)
		return 0;
	atomic_fetch_add_explicit(&d->ours, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&d->removed, 1, memory_order_relaxed);
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
	uint32_t node = bma__topo_node_now(), home = home_of(e, word, node);

	if (bma__unlikely(home != node)) {
		send_home(e, home, word, plane);
		atomic_fetch_add_explicit(&e->depot[home].ours, 1, memory_order_relaxed);
		watch(e, &e->depot[home],
		      atomic_load_explicit(&e->high_mags, memory_order_relaxed));
		return;
	}
	bma__stack_append(&batch->chain[plane % BMA__DEPOT_LOCAL], e->class, word);
	batch->n++;
}

void bma__depot_return(struct bma__engine *e, struct bma__depot *d,
		       const struct bma__depot_batch *batch)
{
	uint32_t generation;

	count_put(d, batch->n, &generation);
	for (uint32_t i = 0; i < BMA__DEPOT_LOCAL; i++)
		bma__stack_push_chain(&d->local[i].recent, e->class, &batch->chain[i]);
	counted(d, batch->n, generation);
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
