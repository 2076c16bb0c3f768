/* SPDX-License-Identifier: MIT */
/* Owners, see owner.h. Ordering: MO-40 (docs/memory-ordering.md). */
#include "cache.h"

#include <errno.h>
#include <stdlib.h>

int bma__owner_prepare(struct bma__engine *e)
{
	const struct bma__slab_geometry *geo = &e->geo;

	e->owners = bma__os.map(BMA__OWNERS_MAX * sizeof *e->owners);
	if (!e->owners)
		return -ENOMEM;
	/*
	 * The average distance of objects is span / group. Where groups are apart (slab.h) object k of a group lies up to that distance before k times the
	 * average; the distance added, the quotient is k for each.
	 */
	e->owner_mul = (((uint64_t)geo->group << BMA__OWNER_SHIFT) + geo->span - 1) / geo->span;
	e->owner_add = (geo->span - (uint64_t)geo->group * geo->stride) * e->owner_mul;
	e->owner_mask = (uintptr_t)geo->units * BMA__UNIT_SIZE - 1;
	return 0;
}

void bma__owner_end(struct bma__engine *e)
{
	if (e->owners)
		bma__os.unmap((void *)e->owners, BMA__OWNERS_MAX * sizeof *e->owners);
}

uint16_t bma__owner_enter(struct bma__engine *e, struct bma__record *record)
{
	uint16_t owner = 0;

	bma__lock_take(&e->lock);
	for (uint32_t i = 0; i < BMA__OWNERS_MAX && !owner; i++) {
		uint32_t at = (e->owner_hint + i) % BMA__OWNERS_MAX;

		if (at && at < BMA__OWNER_ODD && !e->owners[at])
			owner = (uint16_t)at;
	}
	if (owner) {
		e->owners[owner] = record;
		e->owner_hint = owner + 1u;
		atomic_fetch_add_explicit(&e->owners_used, 1, memory_order_relaxed);
	}
	bma__lock_drop(&e->lock);
	return owner;
}

void bma__owner_leave(struct bma__engine *e, uint16_t owner)
{
	bma__lock_take(&e->lock);
	e->owners[owner] = NULL;
	atomic_fetch_sub_explicit(&e->owners_used, 1, memory_order_relaxed);
	bma__lock_drop(&e->lock);
}

static uint64_t count_in(const struct bma__slab *s, uint16_t owner)
{
	const uint16_t *owners = (const uint16_t *)(const void *)(s->base + s->geo.owners);
	uint32_t n = atomic_load_explicit(&s->carved, memory_order_relaxed);
	uint64_t found = 0;

	for (uint32_t i = 0; i < n; i++)
		found += __atomic_load_n(&owners[i], __ATOMIC_RELAXED) == owner;
	return found;
}

uint64_t bma__owner_count(struct bma__engine *e, uint16_t owner)
{
	uint64_t found = 0;

	bma__lock_take(&e->lock);
	bma__engine_for_each_slab (e, s)
		found += count_in(s, owner);
	bma__lock_drop(&e->lock);
	return found;
}

/* From pinned to freed, of which @freed is one; false: the last pin was taken back meanwhile, and it is as any other. */
static bool keep(uint16_t *place, uint16_t freed)
{
	uint16_t pinned = BMA__OWNER_PINNED;

	/* Whoever frees it at last sees what its user did. */
	return __atomic_compare_exchange_n(place, &pinned, freed, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

struct bma__record *bma__owner_look(struct bma__engine *e, const void *obj, const char *call)
{
	uint16_t owner = 0;

	if (bma__likely(bma__owner_known(e, obj)))
		owner = __atomic_load_n(bma__owner_of(e, obj), __ATOMIC_ACQUIRE);
	if (bma__unlikely(!owner || (owner >= BMA__OWNER_ODD && owner != BMA__OWNER_PINNED)))
		bma__owner_bad(e, obj, call);
	return owner == BMA__OWNER_PINNED ? NULL
					  : __atomic_load_n(&e->owners[owner], __ATOMIC_RELAXED);
}

struct bma__record *bma__owner_take_odd(struct bma__engine *e, const void *obj, const char *call)
{
	uint16_t *place = bma__owner_of(e, obj), owner;

	if (__atomic_load_n(place, __ATOMIC_RELAXED) == BMA__OWNER_PINNED &&
	    keep(place, BMA__OWNER_FREED))
		return NULL;
	owner = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	if (!owner || owner >= BMA__OWNER_ODD)
		bma__owner_bad(e, obj, call);
	__atomic_store_n(place, 0, __ATOMIC_RELAXED);
	return __atomic_load_n(&e->owners[owner], __ATOMIC_RELAXED);
}

/* False: it is pinned. */
static bool let_go(struct bma__engine *e, const void *obj)
{
	uint16_t *place = bma__owner_of(e, obj);
	uint16_t owner = __atomic_load_n(place, __ATOMIC_RELAXED);

	if (owner == BMA__OWNER_PINNED && keep(place, BMA__OWNER_FREED_RCU))
		return false;
	if (owner)
		bma__stock_uncharge(bma__owner_take(e, obj, "bma_cache_free_rcu"), e->charge);
	return true;
}

uintptr_t bma__owner_let_go(struct bma__engine *e, uintptr_t word)
{
	void **objs = bma__mag_elements(bma__mag_base(e->class, word));
	uint32_t n = bma__mag_count(e->class, word), kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (let_go(e, objs[i]))
			objs[kept++] = objs[i];
	}
	return word - (uintptr_t)(n - kept) * sizeof *objs;
}

void bma__owner_bad(struct bma__engine *e, const void *obj, const char *call)
{
	/* Does not return, unless it is an object that was handed out once. */
	bma__engine_slab(e, obj, call);
	bma__engine_misuse(e, obj, BMA__SLAB_DOUBLE, call);
}
