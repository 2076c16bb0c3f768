/* SPDX-License-Identifier: MIT */
/* Refill, see refill.h. Ordering: MO-11 (docs/memory-ordering.md). */
#include "cache.h"

#define BOOST_MAX 4u

/* Pops then come in rising address order. */
static void reverse(void **objs, uint32_t n)
{
	for (uint32_t i = 0; i < n / 2; i++) {
		void *t = objs[i];

		objs[i] = objs[n - 1 - i];
		objs[n - 1 - i] = t;
	}
}

/* Where an attacker, or a bug, must not know which object comes next. */
static void shuffle(struct bma__engine *e, void **objs, uint32_t n)
{
	uint64_t x = bma__os_now() ^ (uintptr_t)objs ^
		     atomic_load_explicit(&e->refills, memory_order_relaxed) << 32;

	for (uint32_t i = n; i > 1; i--) {
		uint32_t j;
		void *t = objs[i - 1];

		/* splitmix64 (Steele, Lea, Flood 2014). */
		uint64_t z = x += 0x9e3779b97f4a7c15u;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		j = (uint32_t)((z ^ z >> 31) % i);
		objs[i - 1] = objs[j];
		objs[j] = t;
	}
}

uintptr_t bma__refill_magazine(struct bma__engine *e, uint32_t node)
{
	uintptr_t word, base;
	uint32_t n;

	if (bma__fuzz_fails(BMA__FUZZ_REFILL))
		return 0;
	word = bma__depot_get_empty(e);
	if (!word)
		word = bma__mag_new_sleep(e->class);
	if (!word)
		return 0;
	base = bma__mag_base(e->class, word);
	n = bma__engine_carve(e, node, bma__mag_elements(base), e->capacity);
	if (!n) {
		bma__depot_put_empty(e, word);
		return 0;
	}
	if (e->flags & BMA_CACHE_RANDOM)
		shuffle(e, bma__mag_elements(base), n);
	else
		reverse(bma__mag_elements(base), n);
	*bma__mag_plane(base) = BMA__PLANE_NONE;
	atomic_fetch_add_explicit(&e->refills, 1, memory_order_relaxed);
	BMA__PROBE(refill, e->name, e->id, n, node);
	return bma__mag_word(base, n);
}

void *bma__refill_object(struct bma__engine *e)
{
	uint32_t node = bma__topo_node_now();
	void *obj = bma__slot_alloc_near(e);
	uintptr_t word;

	/* What other nodes have in stock is taken before memory that this one has not. */
	if (!obj && bma__node_is_full(node))
		obj = bma__slot_alloc(e);
	if (obj)
		return obj;
	bma__engine_use_node(e, node);
	word = bma__refill_magazine(e, node);
	/* The system has no memory, or so it said; what others freed meanwhile will do. */
	return word ? bma__slot_alloc_from(e, word) : bma__slot_alloc(e);
}

/* A node on which nobody uses it needs no stock; what found home there goes to its slabs. */
static bool is_used(const struct bma__engine *e, uint32_t node)
{
	return bma__topo.nodes == 1 ||
	       atomic_load_explicit(&e->nodes_used, memory_order_relaxed) >> node & 1;
}

static uint32_t target_of(const struct bma__engine *e, uint32_t node)
{
	return is_used(e, node) ? atomic_load_explicit(&e->target_mags, memory_order_relaxed) : 0;
}

static uint32_t refill_node(struct bma__engine *e, uint32_t node, uint32_t drained)
{
	struct bma__depot *d = &e->depot[node];
	uint32_t target = atomic_load_explicit(&e->target_mags, memory_order_relaxed), moved = 0;
	bool low = bma__depot_depth(d) < atomic_load_explicit(&e->low_mags, memory_order_relaxed);

	/* What the counts say may be in the hands of threads that are stopped; others are not to go without because of them. */
	if (!low && !bma__depot_is_empty(d))
		return 0;
	/* Not on and on beside who empties it on purpose: he waits for this, but not for long. */
	while ((low ? bma__depot_depth(d) : moved) < target &&
	       atomic_load_explicit(&e->drained, memory_order_relaxed) == drained) {
		uintptr_t word = bma__refill_magazine(e, node);

		if (!word) {
			atomic_fetch_add_explicit(&e->fail_refill, 1, memory_order_relaxed);
			BMA__PROBE(alloc_fail, e->name, e->id, "refill");
			break;
		}
		bma__depot_add(e, d, word);
		moved++;
	}
	return moved;
}

/* Down to the target, but no more than @most full magazines. */
static uint32_t lower_node(struct bma__engine *e, uint32_t node, uint32_t most)
{
	struct bma__depot *d = &e->depot[node];
	uint32_t target = target_of(e, node), moved = 0;

	while (moved < most && bma__depot_depth(d) > target) {
		uintptr_t word = bma__depot_remove(e, d);

		if (!word)
			break;
		bma__drain_magazine(e, node, word);
		moved++;
	}
	while (bma__depot_empties(d) > target) {
		uintptr_t word = bma__stack_pop(&d->empty, e->class);

		if (!word)
			break;
		atomic_fetch_add_explicit(&d->empty_gets, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&d->ours, 1, memory_order_relaxed);
		bma__mag_release(e->class, word);
	}
	return moved;
}

static uint32_t drain_node(struct bma__engine *e, uint32_t node)
{
	struct bma__depot *d = &e->depot[node];
	uint32_t seen = atomic_exchange_explicit(&d->low_seen, UINT32_MAX, memory_order_relaxed);
	uint32_t depth = bma__depot_depth(d);

	return lower_node(e, node, seen < depth ? seen : depth);
}

void bma__refill_lower(struct bma__engine *e, uint32_t node)
{
	lower_node(e, node, bma__depot_depth(&e->depot[node]));
}

/* Any-context calls failed since the last pass: the stock is too small for them. */
static void adapt(struct bma__engine *e)
{
	uint64_t fails = atomic_load_explicit(&e->fail_empty, memory_order_relaxed);
	uint32_t boost = atomic_load_explicit(&e->boost, memory_order_relaxed);

	if (atomic_exchange_explicit(&e->fails_seen, fails, memory_order_relaxed) != fails &&
	    boost < BOOST_MAX)
		atomic_store_explicit(&e->boost, boost + 1, memory_order_relaxed);
	bma__engine_set_marks(e);
}

/* A depot that rose after it was looked at, while puts still saw it watched, is watched on. */
static void set_watched(struct bma__engine *e, bool watched)
{
	uint32_t high = atomic_load_explicit(&e->high_mags, memory_order_relaxed);

	atomic_store_explicit(&e->watched, watched, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* pairs with that of bma__depot_put() */
	for (uint32_t node = 0; !watched && node < bma__topo.nodes; node++) {
		if (bma__depot_depth(&e->depot[node]) > high)
			atomic_store_explicit(&e->watched, true, memory_order_relaxed);
	}
}

static uint32_t service(struct bma__engine *e, bool refill, uint32_t before)
{
	int collected = bma__park_collect(e);
	uint32_t moved = bma__finish_run(e), drained = 0, above = 0;
	bool watched = atomic_load_explicit(&e->watched, memory_order_relaxed);

	moved += collected > 0 ? (uint32_t)collected : 0;
	adapt(e);
	for (uint32_t node = 0; node < bma__topo.nodes; node++) {
		if (refill && is_used(e, node))
			moved += refill_node(e, node, before);
		/* A depot that just rose is watched for one period before anything is taken from
		 * it. */
		if (watched)
			drained += drain_node(e, node);
		above += bma__depot_depth(&e->depot[node]) > target_of(e, node);
	}
	set_watched(e, above != 0);
	if (drained)
		bma__engine_shrink(e, 1);
	return moved + drained;
}

/*
 * Under a ticket, for magazines are in hand. A destroy sets dying, then waits for tickets: either
 * it waits for this one, or this one sees dying.
 */
uint32_t bma__refill_service(struct bma__engine *e, bool refill, uint32_t drained)
{
	struct bma__ticket ticket = bma__ticket_open(e);
	uint32_t moved = 0;

	bma__engine_begin(e);
	if (!atomic_load_explicit(&e->dying, memory_order_seq_cst))
		moved = service(e, refill, drained);
	else
		moved = bma__finish_run(e);
	bma__engine_end(e);
	bma__ticket_close(&ticket);
	return moved;
}
