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
 * Ordering: plain stores to bytes that nobody else writes at the time; what orders the object's way from one thread to the next orders these, too. While an object is pinned, who
 * frees it and who takes the last pin back may come at the same time: both change the number by compare and exchange.
 *
 * Ordering: MO-35 (docs/memory-ordering.md).
 */
#ifndef BMA_CACHE_OWNER_H
#define BMA_CACHE_OWNER_H

#include "engine.h"

/* An offset in a slab has half as many bits, so its product with a quotient of so many is exact. */
#define BMA__OWNER_SHIFT (2 * BMA__CHUNK_SHIFT)
#define BMA__OWNERS_MAX 65536u
/* Numbers that no record has say that an object is pinned, see pin.h: it is; and freed since; and freed after a grace period since. */
#define BMA__OWNER_PINNED 65535u
#define BMA__OWNER_FREED 65534u
#define BMA__OWNER_FREED_RCU 65533u
#define BMA__OWNER_ODD BMA__OWNER_FREED_RCU /* the first of these */

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

/* The same of an object whose number no record has: it is pinned, or freed. Any context. */
struct bma__record *bma__owner_take_odd(struct bma__engine *e, const void *obj, const char *call)
	__attribute__((cold));
/* Who is charged for @obj, which @call is about; NULL: it is pinned. Any context. */
struct bma__record *bma__owner_look(struct bma__engine *e, const void *obj, const char *call);

/*
 * Who is charged for @obj, and is not any more: the caller uncharges him. NULL: it is pinned, and freed when it is not any more; the caller leaves it alone. Any context.
 */
static inline struct bma__record *bma__owner_take(struct bma__engine *e, const void *obj,
						  const char *call)
{
	uint16_t *place, owner;

	if (bma__unlikely(!bma__owner_known(e, obj)))
		bma__owner_bad(e, obj, call);
	place = bma__owner_of(e, obj);
	owner = __atomic_load_n(place, __ATOMIC_RELAXED);
	if (bma__unlikely((uint16_t)(owner - 1u) >= BMA__OWNER_ODD - 1u))
		return bma__owner_take_odd(e, obj, call);
	__atomic_store_n(place, 0, __ATOMIC_RELAXED);
	return __atomic_load_n(&e->owners[owner], __ATOMIC_RELAXED);
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

/*
 * All of a magazine in hand, after its grace period. Those that a plain free parked are nobody's already. Returns what @word is then: pinned ones are taken out. Any context.
 */
uintptr_t bma__owner_let_go(struct bma__engine *e, uintptr_t word);

#endif /* BMA_CACHE_OWNER_H */
