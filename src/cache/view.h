/* SPDX-License-Identifier: MIT */
/*
 * Views: a slot that the calling thread may work on, by index through sequences, or a guest slot that it
 * owns. For the slow halves of the calls.
 *
 * Ordering: MO-10 (docs/memory-ordering.md).
 */
#ifndef BMA_CACHE_VIEW_H
#define BMA_CACHE_VIEW_H

#include "plane.h"
#include "slot.h"

/* After so many failed tries in one call the thread goes to a guest slot. */
#define BMA__VIEW_TRIES 8u
/* Guest slots looked at before a thread makes do without. */
#define BMA__VIEW_GUEST_TRIES 4u

struct bma__view {
	struct bma__slot *slot;
	uint32_t plane;
	bool guest;
};

/* The plane of the @i-th guest slot that the thread may take. */
static inline uint32_t bma__view_guest_plane(uint32_t i)
{
	return bma__cpu.slots + ((bma__plane_guest_hash() + i) & (bma__cpu.guests - 1));
}

/* Take the guest slot of @plane; false: it is owned. In use before it is: a child of fork looks there for slots of threads that are gone. */
static inline bool bma__view_open_guest_at(struct bma__engine *e, struct bma__view *v,
					   uint32_t plane)
{
	uintptr_t nobody = 0;

	v->plane = plane;
	v->slot = bma__slot_at(e, plane);
	bma__plane_use(e, plane);
	if (!atomic_compare_exchange_strong_explicit(&v->slot->owner, &nobody, bma__cpu_thread(),
						     memory_order_acquire, memory_order_relaxed))
		return false;
	v->guest = true;
	return true;
}

static inline bool bma__view_open_guest(struct bma__engine *e, struct bma__view *v)
{
	for (uint32_t i = 0; i < BMA__VIEW_GUEST_TRIES; i++) {
		if (bma__view_open_guest_at(e, v, bma__view_guest_plane(i)))
			return true;
	}
	return false;
}

/* False: there is no slot to be had (no free guest slot, an engine that keeps no slots). */
static inline bool bma__view_open(struct bma__engine *e, struct bma__view *v, unsigned int tries)
{
	v->guest = false;
	if (e->capacity == 1)
		return false;
	if (!bma__plane_indexed())
		return bma__view_open_guest(e, v);
	if (tries >= BMA__VIEW_TRIES) {
		if (tries == BMA__VIEW_TRIES)
			atomic_fetch_add_explicit(&e->aborts, 1, memory_order_relaxed);
		return bma__view_open_guest(e, v);
	}
	v->plane = bma__rseq_read(bma__cpu.index);
	v->slot = bma__slot_at(e, v->plane);
	bma__plane_use(e, v->plane);
	return true;
}

static inline void bma__view_close(struct bma__view *v)
{
	if (v->guest)
		atomic_store_explicit(&v->slot->owner, 0, memory_order_release);
	v->guest = false;
}

/*
 * One word of the slot, @freeze its flag, from @old to @new if the slot is still of generation @gen; or
 * nothing.
 */
static inline bool bma__view_change(const struct bma__view *v, _Atomic uintptr_t *word,
				    _Atomic uint32_t *freeze, uint32_t gen, uintptr_t old,
				    uintptr_t new)
{
	if (!v->guest)
		return bma__rseq_change(bma__cpu.index, v->plane, v->slot, word, freeze, gen, old,
					new);
	/* Ours alone, but a fork in a handler counts anew what it holds. */
	if (atomic_load_explicit(&v->slot->gen, memory_order_relaxed) != gen)
		return false;
	bma__assert(atomic_load_explicit(word, memory_order_relaxed) == old);
	atomic_store_explicit(word, new, memory_order_relaxed);
	return true;
}

#endif /* BMA_CACHE_VIEW_H */
