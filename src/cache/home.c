/* SPDX-License-Identifier: MIT */
/*
 * The slabs of an engine: carving objects from them and bringing objects home. Everything here is
 * under the engine's lock, but for the constructor, which runs with no lock held.
 */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

/* Objects whose slabs are fetched ahead when many come home. */
#define AHEAD 8u

static struct bma__slab_lists *lists_of(struct bma__engine *e, uint32_t node)
{
	return &e->slabs[node < bma__topo.nodes ? node : 0];
}

static void list_add(struct bma__engine *e, struct bma__slab *s, uint32_t list)
{
	struct bma__slab **first = &lists_of(e, s->node)->first[list];

	s->list = list;
	s->prev = NULL;
	s->next = *first;
	if (s->next)
		s->next->prev = s;
	*first = s;
}

static void list_del(struct bma__engine *e, struct bma__slab *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		lists_of(e, s->node)->first[s->list] = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

struct bma__slab *bma__engine_next_slabs(const struct bma__engine *e, uint32_t *i)
{
	while (*i < bma__topo.nodes * BMA__SLABS_DYING) {
		uint32_t at = (*i)++;
		struct bma__slab *s = e->slabs[at / BMA__SLABS_DYING].first[at % BMA__SLABS_DYING];

		if (s)
			return s;
	}
	return NULL;
}

/* Magazines for all objects of one slab: with these mapped ahead, a free finds one. */
static uint32_t mags_per_slab(const struct bma__engine *e)
{
	return (e->geo.objs + e->capacity - 1) / e->capacity;
}

uint64_t bma__engine_slab_charge(const struct bma__engine *e)
{
	return e->geo.units * BMA__UNIT_SIZE * bma__percpu_copies(e->geo.percpu);
}

/* Charged before it is taken, so that no more is taken than may be. */
static struct bma__slab *slab_paid(struct bma__engine *e, uint32_t node, bool strict)
{
	struct bma__refusal why;
	struct bma__slab *s;

	if (!e->record)
		return bma__slab_create(&e->geo, e, node, strict);
	if (!bma__stock_charge_slab(e->record, bma__engine_slab_charge(e), false, true, &why)) {
		atomic_store_explicit(&e->refused_by, why.group, memory_order_relaxed);
		atomic_fetch_add_explicit(&e->refused, 1, memory_order_release);
		return NULL;
	}
	s = bma__slab_create(&e->geo, e, node, strict);
	if (s)
		s->payer = e->record;
	else
		bma__stock_uncharge_slab(e->record, bma__engine_slab_charge(e), false);
	return s;
}

void bma__engine_uncharge(struct bma__slab *s)
{
	uint64_t copies = bma__percpu_copies(s->geo.percpu);

	if (s->payer)
		bma__stock_uncharge_slab(s->payer, bma__slab_bytes(s) * copies, !s->geo.units);
}

static struct bma__slab *slab_new(struct bma__engine *e, uint32_t node, bool strict)
{
	struct bma__slab *s;

	if (bma__mag_promise(e->class, mags_per_slab(e)))
		return NULL;
	s = slab_paid(e, node, strict);
	if (!s) {
		bma__mag_unpromise(e->class, mags_per_slab(e));
		return NULL;
	}
	s->finish = e->dtor != NULL;
	list_add(e, s, BMA__SLABS_PARTIAL);
	e->nslabs++;
	BMA__PROBE(slab_new, e->name, e->id, s->base, bma__slab_bytes(s), s->node);
	e->empty_slabs++;
	return s;
}

/* Where the next slab is to be, for somebody on @node. */
static uint32_t node_for(const struct bma__engine *e, uint32_t node)
{
	if (e->geo.percpu)
		return BMA__NODE_PERCPU;
	switch (e->numa.policy) {
	case BMA_NUMA_NODE:
		return e->numa_node;
	case BMA_NUMA_INTERLEAVE:
		return e->turn;
	case BMA_NUMA_NONE:
		return BMA__NODE_ANY;
	default:
		return node;
	}
}

/* One that something is left of, on @node. */
static struct bma__slab *partial_on(struct bma__engine *e, uint32_t node)
{
	return lists_of(e, node)->first[BMA__SLABS_PARTIAL];
}

/* The same on the node nearest to @node that has one. */
static struct bma__slab *partial_near(struct bma__engine *e, uint32_t node)
{
	struct bma__slab *s = NULL;

	bma__topo_for_each_from (node, other, i) {
		s = partial_on(e, other);
		if (s)
			break;
	}
	return s;
}

/*
 * The slab to take from. New memory is asked for before that of other nodes is used, but where the node had none a moment ago; and what others have
 * is used where there is no new memory, or a limit is in the way.
 */
static struct bma__slab *find_slab(struct bma__engine *e, uint32_t node)
{
	bool strict = e->numa.flags & BMA_NUMA_STRICT, one = node >= bma__topo.nodes;
	bool round = e->numa.policy == BMA_NUMA_INTERLEAVE;
	struct bma__slab *s = partial_on(e, node);

	if (!s && !strict && !one && (round || bma__node_is_full(node)))
		s = partial_near(e, node);
	if (s)
		return s;
	s = slab_new(e, node, strict);
	if (s && round)
		e->turn = (e->turn + 1) % bma__topo.nodes;
	if (!s && strict && !one)
		atomic_fetch_add_explicit(&bma__nodes[node].refused, 1, memory_order_relaxed);
	return s || strict || one ? s : partial_near(e, node);
}

static uint32_t take_from(struct bma__engine *e, struct bma__slab *s, void **out, uint32_t n,
			  uint32_t *recycled)
{
	uint32_t got;

	if (bma__slab_empty(s))
		e->empty_slabs--;
	got = bma__slab_take(s, out, n, recycled);
	e->objs_home -= *recycled;
	e->objs_carved += got - *recycled;
	if (bma__slab_spent(s)) {
		list_del(e, s);
		list_add(e, s, BMA__SLABS_SPENT);
	}
	return got;
}

/* Objects from one slab; @recycled as in bma__slab_take(). */
static uint32_t carve_once(struct bma__engine *e, uint32_t node, void **out, uint32_t n,
			   uint32_t *recycled)
{
	struct bma__slab *s;
	uint32_t got = 0;

	bma__lock_take(&e->lock);
	s = find_slab(e, node_for(e, node));
	if (s)
		got = take_from(e, s, out, n, recycled);
	bma__lock_drop(&e->lock);
	return got;
}

/*
 * A destructor must be able to tell an object that nobody was ever given. It is of memory that the system or the chunk cleared, and is
 * not touched; but a tool that watches has to see it written.
 */
static void construct(struct bma__engine *e, void *obj)
{
	if (!e->dtor && !e->ctor)
		return;
	bma__debug_begin(e, obj);
	if (e->dtor && e->flags & BMA__CACHE_TOOLS)
		memset(obj, 0, e->size);
	if (e->ctor)
		e->ctor(obj, e->ctx);
	bma__debug_end(e, obj);
}

uint32_t bma__engine_carve(struct bma__engine *e, uint32_t node, void **out, uint32_t n)
{
	uint32_t total = 0, got, recycled = 0;

	do {
		got = carve_once(e, node, out + total, n - total, &recycled);
		for (uint32_t i = total + recycled; i < total + got; i++)
			construct(e, out[i]);
		total += got;
	} while (got && total < n);
	return total;
}

static void *carve_one_there(struct bma__engine *e, uint32_t node)
{
	struct bma__slab *s;
	uint32_t recycled = 0;
	void *obj = NULL;

	bma__lock_take(&e->lock);
	s = partial_on(e, node);
	if (!s)
		s = slab_new(e, node, true);
	if (s)
		take_from(e, s, &obj, 1, &recycled);
	bma__lock_drop(&e->lock);
	if (obj && !recycled)
		construct(e, obj);
	return obj;
}

void *bma__engine_carve_there(struct bma__engine *e, uint32_t node)
{
	void *obj = carve_one_there(e, node);
	bool there = true;

	if (obj) {
		bma__debug_begin(e, obj);
		there = bma__node_settle(obj, e->size, node, true);
		bma__debug_end(e, obj);
	}
	if (obj && there)
		return obj;
	if (obj)
		bma__engine_home(e, BMA__NODE_ANY, &obj, 1);
	atomic_fetch_add_explicit(&bma__nodes[node].refused, 1, memory_order_relaxed);
	return NULL;
}

void bma__engine_misuse(struct bma__engine *e, const void *obj, enum bma__slab_result result,
			const char *call)
{
	static const char *const what[] = {
		[BMA__SLAB_OK] = "is not an object of this cache",
		[BMA__SLAB_INTERIOR] = "points inside an object of this cache",
		[BMA__SLAB_NEVER_CARVED] = "was never allocated",
		[BMA__SLAB_DOUBLE] = "is free already (freed twice)",
		[BMA__SLAB_FREED] = "was freed before, by bma_cache_free, or never allocated",
		[BMA__SLAB_FREED_RCU] = "was freed before, by bma_cache_free_rcu",
	};

	bma__log_line("%s: cache \"%s\": object %p %s", call, e->name, obj, what[result]);
	bma__track_show(e, obj);
	abort();
}

struct bma__slab *bma__engine_slab(struct bma__engine *e, const void *obj, const char *call)
{
	struct bma__slab *s;
	enum bma__slab_result result;

	if (bma__unlikely(bma__sample_has(obj)))
		return bma__sample_slab(e, obj, call);
	s = bma__chunk_slab(obj);
	if (!s || s->owner != e)
		bma__engine_misuse(e, obj, BMA__SLAB_OK, call);
	result = bma__slab_check(s, obj);
	if (result != BMA__SLAB_OK)
		bma__engine_misuse(e, obj, result, call);
	return s;
}

/* An object of @s came home from a depot of @node. */
static void count_return(const struct bma__slab *s, uint32_t node)
{
	if (bma__unlikely(s->node != node) && node < BMA__NODES_MAX && s->node < BMA__NODES_MAX)
		atomic_fetch_add_explicit(&bma__nodes[s->node].home_returns, 1,
					  memory_order_relaxed);
}

void bma__engine_home(struct bma__engine *e, uint32_t node, void *const *objs, uint32_t n)
{
	static const char call[] = "drain of what bma_cache_free or bma_cache_free_rcu took";

	bma__lock_take(&e->lock);
	for (uint32_t i = 0; i < n; i++) {
		void *obj = objs[i];
		enum bma__slab_result result;
		struct bma__slab *s;

		/* They are of any slabs, whose lines are fetched while others are dealt with. */
		if (i + AHEAD < n)
			bma__slab_fetch(bma__chunk_slab(objs[i + AHEAD]), objs[i + AHEAD]);
		if (bma__unlikely(bma__sample_has(obj)))
			obj = bma__sample_home(e, obj, call);
		s = bma__chunk_slab(obj);
		if (bma__unlikely(!s || s->owner != e))
			bma__engine_misuse(e, obj, BMA__SLAB_OK, call);
		if (s->list == BMA__SLABS_DYING)
			bma__engine_misuse(e, obj, BMA__SLAB_DOUBLE, call);
		result = bma__slab_put(s, obj);
		if (result != BMA__SLAB_OK)
			bma__engine_misuse(e, obj, result, call);
		e->objs_home++;
		count_return(s, node);
		if (s->list == BMA__SLABS_SPENT) {
			list_del(e, s);
			list_add(e, s, BMA__SLABS_PARTIAL);
		}
		if (bma__slab_empty(s))
			e->empty_slabs++;
	}
	bma__lock_drop(&e->lock);
}

void bma__engine_destruct(struct bma__engine *e)
{
	if (!e->dtor)
		return;
	bma__engine_for_each_slab (e, s) {
		uint32_t n = atomic_load_explicit(&s->carved, memory_order_relaxed);

		for (uint32_t i = 0; i < n; i++)
			bma__finish_object(e, bma__slab_object(s, i));
		s->finish = false;
	}
	e->dtor = NULL; /* slabs that are given up now outlive the engine */
}

static void give_up(struct bma__engine *e, struct bma__slab *s)
{
	list_del(e, s);
	s->list = BMA__SLABS_DYING;
	e->nslabs--;
	BMA__PROBE(slab_free, e->name, e->id, s->base, bma__slab_bytes(s), s->node);
	/* Of one that is abandoned not all are at home, and walks still count what is. */
	e->empty_slabs -= bma__slab_empty(s);
	e->objs_carved -= atomic_load_explicit(&s->carved, memory_order_relaxed);
	e->objs_home -= s->nfree;
	if (e->dtor)
		atomic_fetch_add_explicit(&e->dying_slabs, 1, memory_order_relaxed);
	bma__defer_slab(s);
	bma__mag_unpromise(e->class, mags_per_slab(e));
}

void bma__engine_abandon(struct bma__engine *e)
{
	struct bma__slab *s;

	bma__lock_take(&e->lock);
	for (uint32_t i = 0; (s = bma__engine_next_slabs(e, &i)); i = 0)
		give_up(e, s);
	bma__lock_drop(&e->lock);
}

uint32_t bma__engine_shrink(struct bma__engine *e, uint32_t keep)
{
	uint32_t given = 0;

	bma__lock_take(&e->lock);
	for (uint32_t node = 0; node < bma__topo.nodes; node++) {
		for (struct bma__slab *s = partial_on(e, node), *next; s && e->empty_slabs > keep;
		     s = next) {
			next = s->next;
			if (bma__slab_empty(s)) {
				give_up(e, s);
				given++;
			}
		}
	}
	bma__lock_drop(&e->lock);
	return given;
}
