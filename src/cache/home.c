/* SPDX-License-Identifier: MIT */
/*
 * The slabs of an engine: carving objects from them and bringing objects home. Everything here is
 * under the engine's lock, but for the constructor, which runs with no lock held.
 */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

static void list_add(struct bma__engine *e, struct bma__slab *s, uint32_t list)
{
	s->list = list;
	s->prev = NULL;
	s->next = e->slabs[list];
	if (s->next)
		s->next->prev = s;
	e->slabs[list] = s;
}

static void list_del(struct bma__engine *e, struct bma__slab *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		e->slabs[s->list] = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

/* Magazines for all objects of one slab: with these mapped ahead, a free finds one. */
static uint32_t mags_per_slab(const struct bma__engine *e)
{
	return (e->geo.objs + e->capacity - 1) / e->capacity;
}

uint64_t bma__engine_slab_charge(const struct bma__engine *e)
{
	uint64_t copies = e->geo.percpu ? bma__percpu.slots + 1 : 1;

	return e->geo.units * BMA__UNIT_SIZE * copies;
}

/* Charged before it is taken, so that no more is taken than may be. */
static struct bma__slab *slab_paid(struct bma__engine *e, uint32_t node)
{
	struct bma__refusal why;
	struct bma__slab *s;

	if (!e->record)
		return bma__slab_create(&e->geo, e, node);
	if (!bma__stock_charge_slab(e->record, bma__engine_slab_charge(e), false, true, &why)) {
		atomic_store_explicit(&e->refused_by, why.group, memory_order_relaxed);
		atomic_fetch_add_explicit(&e->refused, 1, memory_order_release);
		return NULL;
	}
	s = bma__slab_create(&e->geo, e, node);
	if (s)
		s->payer = e->record;
	else
		bma__stock_uncharge_slab(e->record, bma__engine_slab_charge(e), false);
	return s;
}

void bma__engine_uncharge(struct bma__slab *s)
{
	uint64_t copies = s->geo.percpu ? bma__percpu.slots + 1 : 1;

	if (s->payer)
		bma__stock_uncharge_slab(s->payer, bma__slab_bytes(s) * copies, !s->geo.units);
}

static struct bma__slab *slab_new(struct bma__engine *e, uint32_t node)
{
	struct bma__slab *s;

	if (bma__mag_promise(e->class, mags_per_slab(e)))
		return NULL;
	s = slab_paid(e, node);
	if (!s) {
		bma__mag_unpromise(e->class, mags_per_slab(e));
		return NULL;
	}
	s->finish = e->dtor != NULL;
	list_add(e, s, BMA__SLABS_PARTIAL);
	e->nslabs++;
	e->empty_slabs++;
	return s;
}

/* Objects from one slab; @recycled as in bma__slab_take(). */
static uint32_t carve_once(struct bma__engine *e, uint32_t node, void **out, uint32_t n,
			   uint32_t *recycled)
{
	struct bma__slab *s;
	uint32_t got = 0;

	bma__lock_take(&e->lock);
	s = e->slabs[BMA__SLABS_PARTIAL];
	if (!s)
		s = slab_new(e, node);
	if (s) {
		if (bma__slab_empty(s))
			e->empty_slabs--;
		got = bma__slab_take(s, out, n, recycled);
		e->objs_home -= *recycled;
		e->objs_carved += got - *recycled;
		if (bma__slab_spent(s)) {
			list_del(e, s);
			list_add(e, s, BMA__SLABS_SPENT);
		}
	}
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

void bma__engine_home(struct bma__engine *e, void *const *objs, uint32_t n)
{
	static const char call[] = "drain of what bma_cache_free or bma_cache_free_rcu took";

	bma__lock_take(&e->lock);
	for (uint32_t i = 0; i < n; i++) {
		void *obj = objs[i];
		enum bma__slab_result result;
		struct bma__slab *s;

		if (bma__unlikely(bma__sample_has(obj)))
			obj = bma__sample_home(e, obj, call);
		s = bma__engine_slab(e, obj, call);
		if (s->list == BMA__SLABS_DYING)
			bma__engine_misuse(e, obj, BMA__SLAB_DOUBLE, call);
		result = bma__slab_put(s, obj);
		if (result != BMA__SLAB_OK)
			bma__engine_misuse(e, obj, result, call);
		e->objs_home++;
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
	for (int list = BMA__SLABS_PARTIAL; e->dtor && list <= BMA__SLABS_SPENT; list++) {
		for (struct bma__slab *s = e->slabs[list]; s; s = s->next) {
			uint32_t n = atomic_load_explicit(&s->carved, memory_order_relaxed);

			for (uint32_t i = 0; i < n; i++)
				bma__finish_object(e, bma__slab_object(s, i));
			s->finish = false;
		}
	}
	e->dtor = NULL; /* slabs that are given up now outlive the engine */
}

static void give_up(struct bma__engine *e, struct bma__slab *s)
{
	uint32_t carved = atomic_load_explicit(&s->carved, memory_order_relaxed);

	list_del(e, s);
	s->list = BMA__SLABS_DYING;
	e->nslabs--;
	e->empty_slabs--;
	e->objs_carved -= carved;
	e->objs_home -= carved;
	if (e->dtor)
		atomic_fetch_add_explicit(&e->dying_slabs, 1, memory_order_relaxed);
	bma__defer_slab(s);
	bma__mag_unpromise(e->class, mags_per_slab(e));
}

void bma__engine_abandon(struct bma__engine *e)
{
	bma__lock_take(&e->lock);
	for (int list = BMA__SLABS_PARTIAL; list <= BMA__SLABS_SPENT; list++) {
		while (e->slabs[list])
			give_up(e, e->slabs[list]);
	}
	bma__lock_drop(&e->lock);
}

uint32_t bma__engine_shrink(struct bma__engine *e, uint32_t keep)
{
	uint32_t given = 0;

	bma__lock_take(&e->lock);
	for (struct bma__slab *s = e->slabs[BMA__SLABS_PARTIAL], *next; s && e->empty_slabs > keep;
	     s = next) {
		next = s->next;
		if (bma__slab_empty(s)) {
			give_up(e, s);
			given++;
		}
	}
	bma__lock_drop(&e->lock);
	return given;
}
