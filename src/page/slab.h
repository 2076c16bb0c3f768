/* SPDX-License-Identifier: MIT */
/*
 * Slabs: runs of pages cut into objects of one engine.
 *
 * Nothing of a slab lies in its pages, but for owners where each object has one (they are found from the object's address alone, in the
 * hot calls): the struct and its two bitmaps come from meta. An object
 * that was never handed out has not been touched; "carved" counts those that were, from the front.
 *
 *   free[i]    object i is carved and at home
 *   parked[i]  object i was freed while no magazine was at hand, and waits to be collected
 *
 * Equation, under the engine's lock: carved = nfree + (objects out of the slab, parked ones
 * included). All fields but parked are under the engine's lock; parked is set by anybody and
 * cleared under it.
 *
 * Colour: objects of a stride that divides or is a multiple of 4096 would all begin in the same
 * sets of a first-level cache; 64 bytes of offset after each 4096 bytes of objects cost 1.6 % of
 * memory and make batches of 1 KiB objects up to five times faster. So objects stand in groups:
 *   address of object i = base + i / group * span + i % group * stride
 */
#ifndef BMA_PAGE_SLAB_H
#define BMA_PAGE_SLAB_H

#include "base/base.h"

/* One call on an object: its stack, innermost first. */
struct bma__slab_stack {
	void *pc[9];
	uint32_t n;
	uint32_t thread; /* as gettid() says */
};

/* Who had an object last. Written by who has it. */
struct bma__slab_track {
	struct bma__slab_stack alloc, free;
};

/* How the slabs of one engine are cut. */
struct bma__slab_geometry {
	uint32_t stride; /* bytes from one object to the next in a group */
	uint32_t group;	 /* objects in a group */
	uint32_t span;	 /* bytes from one group to the next */
	uint32_t objs;	 /* objects in a slab */
	uint32_t units;	 /* 64 KiB units of a slab */
	bool checked;	 /* live bits are kept */
	bool tracked;	 /* and who had objects last */
	bool guard;	 /* objects have pages of their own */
	bool percpu;	 /* objects have copies */
	bool owned;	 /* each object has an owner */
	uint16_t tag;	 /* what the page map's tags say of them */
	uint32_t offset; /* of an object from where its place begins */
	/* Of the owners from where the slab begins: 16 bits for each object, behind the last one. 0: there are none. */
	uint32_t owners;
};

struct bma__slab {
	struct bma__slab *next, *prev; /* in one of the owner's lists */
	void *owner;
	void *payer; /* the owner's: who is charged for it */
	char *base;
	uint32_t node; /* which it is meant to be on, or one of the kinds of node.h */
	struct bma__slab_geometry geo;
	_Atomic uint32_t carved; /* written under the lock, read by anybody */
	uint32_t nfree;
	uint32_t hint; /* no word of free[] before this one has a bit set */
	uint32_t list; /* the owner's, which list it is in */
	bool finish;   /* the owner's: it has to see the slab before it is destroyed */
	uint64_t *free;
	_Atomic uint64_t *parked;
	/* Where the geometry says so: objects that the user has, and those that free_rcu had last. */
	_Atomic uint64_t *live, *by_rcu;
	_Atomic uint64_t *filled; /* free ones that were filled, see debug.h */
	struct bma__slab_track *tracks;
};

/* What bma__slab_put() and bma__slab_park() found. */
enum bma__slab_result {
	BMA__SLAB_OK,
	BMA__SLAB_INTERIOR,	/* not the address of an object */
	BMA__SLAB_NEVER_CARVED, /* of an object that was never handed out */
	BMA__SLAB_DOUBLE,	/* the object is free or parked already */
	BMA__SLAB_FREED,	/* not live: a plain free had it */
	BMA__SLAB_FREED_RCU,	/* not live: a deferred free had it */
};

/*
 * Geometry for objects of @size bytes at @align: the smallest slab whose tail and metadata take at
 * most an eighth of it, else the one that wastes least. @owned: with owners.
 */
void bma__slab_geometry(struct bma__slab_geometry *geo, size_t size, size_t align, bool owned);
/* The same with guard pages, see base/guard.h. */
void bma__slab_geometry_guard(struct bma__slab_geometry *geo, size_t size, size_t align,
			      bool owned);

/* Share of a slab that holds no object bytes, metadata included, in 1/10000, rounded up. */
uint32_t bma__slab_waste(const struct bma__slab_geometry *geo);

/* The alignment that all objects have. */
size_t bma__slab_alignment(const struct bma__slab_geometry *geo);

/* Bytes of its first copy; of one that is a run (large.h), its own. */
size_t bma__slab_bytes(const struct bma__slab *slab);

/* A new slab on @node, @strict: there or nowhere, in the page map; NULL if there is no memory. May sleep. */
struct bma__slab *bma__slab_create(const struct bma__slab_geometry *geo, void *owner, uint32_t node,
				   bool strict);
/* Give a slab's memory back. May sleep; readers of type-stable memory must be gone. */
void bma__slab_destroy(struct bma__slab *slab);

/*
 * Take up to @n objects into @out: recycled ones first, then fresh ones, each in rising order.
 * @recycled: how many of them had been carved before. Returns how many in all.
 */
uint32_t bma__slab_take(struct bma__slab *slab, void **out, uint32_t n, uint32_t *recycled);

/* The object in whose place @at is, an address in the slab. */
void *bma__slab_near(const struct bma__slab *slab, const void *at);
/* The @i-th object. */
void *bma__slab_object(const struct bma__slab *slab, uint32_t i);

/* What bma__slab_put() will look at, into the CPU's cache; @slab may be NULL. */
static inline void bma__slab_fetch(const struct bma__slab *slab, const void *obj)
{
	if (!slab)
		return;
	__builtin_prefetch(slab, 1);
	__builtin_prefetch(&slab->free[(size_t)((const char *)obj - slab->base) / 64 /
				       (slab->geo.stride ? slab->geo.stride : 1)],
			   1);
}

/* Bring an object home. */
enum bma__slab_result bma__slab_put(struct bma__slab *slab, const void *obj);

/* Is @obj the address of a carved object? Any context. */
enum bma__slab_result bma__slab_check(const struct bma__slab *slab, const void *obj);

/*
 * Mark an object as freed without a magazine. Any context: one atomic OR with release, the last
 * access to the slab, so that whoever collects the object sees all that was done to it.
 */
enum bma__slab_result bma__slab_park(struct bma__slab *slab, const void *obj);
/* Is @obj marked so? And how many are? */
bool bma__slab_is_parked(const struct bma__slab *slab, const void *obj);
uint32_t bma__slab_count_parked(const struct bma__slab *slab);
/* Collect up to @n parked objects into @out. */
uint32_t bma__slab_unpark(struct bma__slab *slab, void **out, uint32_t n);

/* Live bits: the user gets an object, or gives it back. Any context. */
void bma__slab_take_live(struct bma__slab *slab, const void *obj);
enum bma__slab_result bma__slab_drop_live(struct bma__slab *slab, const void *obj, bool rcu);
/* Was the last free of @obj a deferred one? */
bool bma__slab_was_rcu(const struct bma__slab *slab, const void *obj);
bool bma__slab_is_live(const struct bma__slab *slab, uint32_t i);
/* Set the filled bit of a free object that the caller has, or clear it; returns what it was. Any context. */
bool bma__slab_set_filled(struct bma__slab *slab, const void *obj, bool filled);
/* NULL if the geometry has none. */
struct bma__slab_track *bma__slab_track(struct bma__slab *slab, const void *obj);

/* All that was carved is at home. */
static inline bool bma__slab_empty(const struct bma__slab *slab)
{
	return slab->nfree == atomic_load_explicit(&slab->carved, memory_order_relaxed);
}

/* Nothing is left to take. */
static inline bool bma__slab_spent(const struct bma__slab *slab)
{
	return !slab->nfree &&
	       atomic_load_explicit(&slab->carved, memory_order_relaxed) == slab->geo.objs;
}

#endif /* BMA_PAGE_SLAB_H */
