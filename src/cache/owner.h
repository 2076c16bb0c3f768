/* SPDX-License-Identifier: MIT */
/*
 * Owners: who pays for an object of an engine that groups share.
 *
 * Each slab of such an engine (BMA__CACHE_OWNED) has 16 bits for each object, behind the last one: 0, or the place of a record in the engine's table. So from
 * an object to its record it is a mask, a product and two loads, whoever frees it.
 *
 * Invariant: the owner of an object is not 0 exactly while somebody is charged for it. It is written by who has the object in hand: after the charge and before
 * the user has it; cleared before it is uncharged and before the object is out of reach. So a second free of an object finds 0.
 *
 * Ordering: plain stores to bytes that nobody else writes at the time; what orders the object's way from one thread to the next orders these, too.
 */
#ifndef BMA_CACHE_OWNER_H
#define BMA_CACHE_OWNER_H

#include "engine.h"

/* An offset in a slab has half as many bits, so its product with a quotient of so many is exact. */
#define BMA__OWNER_SHIFT (2 * BMA__CHUNK_SHIFT)
#define BMA__OWNERS_MAX 65536u

/* Before the first slab: the table, and what the product takes. Returns 0 or -ENOMEM. May sleep. */
int bma__owner_prepare(struct bma__engine *e);
void bma__owner_end(struct bma__engine *e);
/* A place for @record in the table; 0: they are all taken. May sleep. */
uint16_t bma__owner_enter(struct bma__engine *e, struct bma__record *record);
void bma__owner_leave(struct bma__engine *e, uint16_t owner);
/* Objects that @owner pays for: looks at all slabs. May sleep. A snapshot. */
uint64_t bma__owner_count(struct bma__engine *e, uint16_t owner);

/* Where the owner of @obj, an address in the objects of a slab of @e, stands. */
static inline uint16_t *bma__owner_of(const struct bma__engine *e, const void *obj)
{
	uintptr_t offset = (uintptr_t)obj & e->owner_mask;
	uint64_t i = (offset * e->owner_mul + e->owner_add) >> BMA__OWNER_SHIFT;

	return (uint16_t *)((uintptr_t)obj - offset + e->geo.owners) + i;
}

static inline void bma__owner_set(const struct bma__engine *e, const void *obj, uint16_t owner)
{
	__atomic_store_n(bma__owner_of(e, obj), owner, __ATOMIC_RELAXED);
}

/* Can the address be looked up at all? */
static inline bool bma__owner_known(const struct bma__engine *e, const void *obj)
{
	return bma__chunk_tag(obj) == e->geo.tag &&
	       ((uintptr_t)obj & e->owner_mask) < e->geo.owners;
}

/* An address that nobody is charged for was given to @call. */
void bma__owner_bad(struct bma__engine *e, const void *obj, const char *call)
	__attribute__((noreturn, cold));

/* Who is charged for @obj, which @call is about. Any context. */
static inline struct bma__record *bma__owner_look(struct bma__engine *e, const void *obj,
						  const char *call)
{
	uint16_t owner = 0;

	if (bma__likely(bma__owner_known(e, obj)))
		owner = __atomic_load_n(bma__owner_of(e, obj), __ATOMIC_RELAXED);
	if (bma__unlikely(!owner))
		bma__owner_bad(e, obj, call);
	return __atomic_load_n(&e->owners[owner], __ATOMIC_RELAXED);
}

/* The same, and he is not any more: the caller uncharges him. Any context. */
static inline struct bma__record *bma__owner_take(struct bma__engine *e, const void *obj,
						  const char *call)
{
	struct bma__record *r = bma__owner_look(e, obj, call);

	bma__owner_set(e, obj, 0);
	return r;
}

/*
 * The same if it is @owner, in an engine whose calls are quick: there tags are at hand. False: it is not, and nothing was done. Any context.
 */
static inline bool bma__owner_drop(const struct bma__engine *e, const void *obj, uint16_t owner)
{
	uintptr_t unit = (uintptr_t)obj >> BMA__UNIT_SHIFT;
	uint16_t *place;

	if (bma__unlikely(unit >= BMA__TAGS ||
			  atomic_load_explicit(&bma__chunk_tags[unit], memory_order_relaxed) !=
				  e->geo.tag ||
			  ((uintptr_t)obj & e->owner_mask) >= e->geo.owners))
		return false;
	place = bma__owner_of(e, obj);
	if (bma__unlikely(__atomic_load_n(place, __ATOMIC_RELAXED) != owner))
		return false;
	__atomic_store_n(place, 0, __ATOMIC_RELAXED);
	return true;
}

/* All of a magazine in hand, after its grace period. Those that a plain free parked are nobody's already. Any context. */
void bma__owner_let_go(struct bma__engine *e, uintptr_t word);

#endif /* BMA_CACHE_OWNER_H */
