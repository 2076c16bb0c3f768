/* SPDX-License-Identifier: MIT */
/* Engines at rest, see settle.h. */
#include "cache.h"

#define SHARE 8u /* of purge_ms */
/* Looks without an exchange after which a stock that was made deeper is so no more, the first time; each time it takes twice as many, up to: */
#define RELAX_AFTER 2u
#define RELAX_DOUBLINGS 8u
#define RENEWALS 65536u
#define PERIOD_MIN 10000000u
/* Bytes of slabs that are held beyond those that would do: so many, and such a share of these, are worth a drain of slots. */
#define WASTE_MIN ((uint64_t)1 << 20)
#define WASTE_SHARE 16u
#define TRIES 8u /* each after twice as long as the one before */

/* What slots exchanged, and what the worker moved. */
static uint64_t activity(const struct bma__engine *e)
{
	uint64_t n = atomic_load_explicit(&e->refills, memory_order_relaxed) +
		     atomic_load_explicit(&e->drains, memory_order_relaxed);

	for (uint32_t node = 0; node < bma__topo.nodes; node++)
		n += bma__depot_exchanges(&e->depot[node]);
	return n;
}

/* Without a new slab: there would be nothing to gain. */
static bool has_free(struct bma__engine *e, uint64_t n)
{
	bool enough;

	bma__lock_take(&e->lock);
	enough = e->objs_home >= n;
	bma__lock_drop(&e->lock);
	return enough;
}

/* Magazines of a renewal are told by their plane, which no slot has, and no other renewal of the engine for a long time. */
static uintptr_t next_mark(struct bma__engine *e)
{
	return BMA__PLANE_NONE +
	       atomic_fetch_add_explicit(&e->renewals, 1, memory_order_relaxed) % RENEWALS;
}

static uintptr_t *mark_of(struct bma__engine *e, uintptr_t word)
{
	return bma__mag_plane(bma__mag_base(e->class, word));
}

static uintptr_t pop(struct bma__engine *e, struct bma__mag_stack *stack)
{
	return bma__stack_pop(stack, e->class);
}

/* Up to @n fresh magazines, which are told by @mark, in hand. */
static uint32_t carve(struct bma__engine *e, uint32_t node, uint32_t n, uintptr_t mark)
{
	uint32_t got = 0;
	uintptr_t word;

	for (; got < n && (word = bma__refill_magazine(e, node)); got++) {
		*mark_of(e, word) = mark;
		bma__stack_push(&e->in_hand.fresh, e->class, word);
	}
	return got;
}

/* All of @stack to a depot. */
static void put_back(struct bma__engine *e, uint32_t node, struct bma__mag_stack *stack)
{
	uintptr_t word;

	while ((word = pop(e, stack)))
		bma__depot_add(e, &e->depot[node], word);
}

void bma__settle_after_fork(struct bma__engine *e)
{
	atomic_store_explicit(&e->renewing, false, memory_order_relaxed);
	put_back(e, 0, &e->in_hand.fresh);
	put_back(e, 0, &e->in_hand.old);
	put_back(e, 0, &e->in_hand.again);
}

/* Of what is held in slabs beyond as many as would do for all objects that are not at home. */
static uint64_t waste(struct bma__engine *e, uint64_t *needed)
{
	uint64_t slabs, bytes = (uint64_t)e->geo.units * BMA__UNIT_SIZE;

	bma__lock_take(&e->lock);
	slabs = (e->objs_carved - e->objs_home + e->geo.objs - 1) / e->geo.objs;
	*needed = slabs * bytes;
	slabs = e->nslabs > slabs ? e->nslabs - slabs : 0;
	bma__lock_drop(&e->lock);
	return slabs * bytes;
}

enum waste { WASTE_NONE, WASTE_LATER, WASTE_NOW };

static bool much(uint64_t waste, uint64_t needed)
{
	return waste > WASTE_MIN + needed / WASTE_SHARE;
}

static uint64_t period(void)
{
	uint64_t ns = bma__env.purge_ns / SHARE;

	return ns < PERIOD_MIN ? PERIOD_MIN : ns;
}

/* Is much held, and is it time to drain slots? Not yet, if the last ones did not help. While the depot is being drained it is no time to ask. */
static enum waste wasteful(struct bma__engine *e, uint64_t now)
{
	uint64_t needed, bytes;

	if (atomic_load_explicit(&e->watched, memory_order_relaxed))
		return WASTE_LATER;
	bytes = waste(e, &needed);
	if (!much(bytes, needed)) {
		atomic_store_explicit(&e->waste_tries, 0, memory_order_relaxed);
		return WASTE_NONE;
	}
	if (now >= atomic_load_explicit(&e->waste_next, memory_order_relaxed))
		return WASTE_NOW;
	return atomic_load_explicit(&e->waste_tries, memory_order_relaxed) < TRIES ? WASTE_LATER
										   : WASTE_NONE;
}

/* After a drain of slots: if there is still much the next one is to come later than the last one did. */
static void put_off(struct bma__engine *e, uint64_t now)
{
	uint32_t tries = atomic_load_explicit(&e->waste_tries, memory_order_relaxed);

	if (tries < TRIES)
		atomic_store_explicit(&e->waste_tries, tries + 1, memory_order_relaxed);
	atomic_store_explicit(&e->waste_next, now + (period() << tries), memory_order_relaxed);
}

/* The lock is held until all is home: a fork waits for it, so nothing is in hand in the child. */
static void drain_slots(struct bma__engine *e)
{
	struct bma__mag_stack taken = {0};

	bma__lock_take(&bma__drain_lock);
	bma__drain_slots(e, NULL, &taken);
	bma__drain_stack(e, &taken);
	bma__lock_drop(&bma__drain_lock);
}

/* As much as slots hold goes to the depot from few slabs, then theirs goes home. */
static void renew_slots(struct bma__engine *e)
{
	uintptr_t mark = next_mark(e);
	uint32_t plane;

	bma__plane_for_each (e, plane) {
		uint32_t node = plane < bma__cpu.slots ? bma__topo_node(plane) : 0;
		uint64_t n = bma__slot_count(e, plane);

		if (has_free(e, n))
			carve(e, node, (uint32_t)(n / e->capacity), mark);
		put_back(e, node, &e->in_hand.fresh);
	}
	drain_slots(e);
	/* For who has no use for that many. */
	atomic_store_explicit(&e->watched, true, memory_order_relaxed);
}

/* A fresh one goes in before an old one comes out. Fresh ones that come out again wait until the end, or what stands behind them would never come. */
static void renew_node(struct bma__engine *e, uint32_t node)
{
	struct bma__depot *d = &e->depot[node];
	uint32_t n = bma__depot_depth(d);
	uintptr_t mark = next_mark(e), fresh, word;

	if (!n || !has_free(e, (uint64_t)n * e->capacity))
		return;
	carve(e, node, n, mark);
	while ((fresh = pop(e, &e->in_hand.fresh))) {
		bma__depot_add(e, d, fresh);
		while ((word = bma__depot_remove(e, d)) && *mark_of(e, word) == mark)
			bma__stack_push(&e->in_hand.again, e->class, word);
		if (!word)
			break;
		bma__stack_push(&e->in_hand.old, e->class, word);
	}
	put_back(e, node, &e->in_hand.fresh);
	put_back(e, node, &e->in_hand.again);
	while ((word = pop(e, &e->in_hand.old)))
		bma__drain_magazine(e, node, word);
}

/* By one at a time, and with no lock held: constructors run. */
static void renew(struct bma__engine *e, bool slots)
{
	if (atomic_exchange_explicit(&e->renewing, true, memory_order_acquire))
		return;
	for (uint32_t node = 0; node < bma__topo.nodes; node++)
		renew_node(e, node);
	if (slots)
		renew_slots(e);
	atomic_store_explicit(&e->renewing, false, memory_order_release);
}

/* Under a ticket, as in bma__refill_service(). */
static void settle(struct bma__engine *e, bool slots)
{
	struct bma__ticket ticket = bma__ticket_open(e);

	bma__engine_begin(e);
	if (!atomic_load_explicit(&e->dying, memory_order_seq_cst)) {
		renew(e, slots);
		bma__engine_shrink(e, slots);
	}
	bma__engine_end(e);
	bma__ticket_close(&ticket);
}

/* Was its stock made deeper, for what it did before it rested? */
static bool deepened(const struct bma__engine *e)
{
	return atomic_load_explicit(&e->boost, memory_order_relaxed) ||
	       atomic_load_explicit(&e->hands_over, memory_order_relaxed);
}

/* Who does the same again and again is to fail less often each time. */
static uint32_t relax_after(const struct bma__engine *e)
{
	uint32_t n = atomic_load_explicit(&e->relaxes, memory_order_relaxed);

	return RELAX_AFTER << (n < RELAX_DOUBLINGS ? n : RELAX_DOUBLINGS);
}

/* The stock is what it was at first, until calls fail again, or objects are handed over. */
static void relax(struct bma__engine *e)
{
	struct bma__ticket ticket = bma__ticket_open(e);

	bma__engine_begin(e);
	if (!atomic_load_explicit(&e->dying, memory_order_seq_cst)) {
		atomic_fetch_add_explicit(&e->relaxes, 1, memory_order_relaxed);
		atomic_store_explicit(&e->boost, 0, memory_order_relaxed);
		atomic_store_explicit(&e->hands_over, false, memory_order_relaxed);
		for (uint32_t node = 0; node < bma__topo.nodes; node++)
			atomic_store_explicit(&e->depot[node].handed, 0, memory_order_relaxed);
		bma__engine_set_marks(e);
		for (uint32_t node = 0; node < bma__topo.nodes; node++)
			bma__refill_lower(e, node);
	}
	bma__engine_end(e);
	bma__ticket_close(&ticket);
}

/* Returns whether it has to be looked at again. */
static bool look(struct bma__engine *e, uint64_t now)
{
	uint64_t n = activity(e);
	enum waste w;

	if (n == atomic_load_explicit(&e->settled, memory_order_relaxed))
		return false;
	w = wasteful(e, now);
	if (w == WASTE_NOW) {
		settle(e, true);
		put_off(e, now);
	}
	if (w != WASTE_NONE)
		return true;
	if (n != atomic_exchange_explicit(&e->rested, n, memory_order_relaxed)) {
		atomic_store_explicit(&e->rests, 0, memory_order_relaxed);
		return true;
	}
	if (deepened(e)) {
		if (atomic_fetch_add_explicit(&e->rests, 1, memory_order_relaxed) + 1 >=
		    relax_after(e)) {
			relax(e);
			atomic_store_explicit(&e->rested, activity(e), memory_order_relaxed);
		}
		return true;
	}
	settle(e, false);
	/* What was moved meanwhile was for this. */
	n = activity(e);
	atomic_store_explicit(&e->rested, n, memory_order_relaxed);
	atomic_store_explicit(&e->settled, n, memory_order_relaxed);
	return false;
}

void bma__settle_now(struct bma__engine *e)
{
	struct bma__ticket ticket = bma__ticket_open(e);

	bma__engine_begin(e);
	if (!atomic_load_explicit(&e->dying, memory_order_seq_cst)) {
		drain_slots(e);
		for (uint32_t node = 0; node < bma__topo.nodes; node++)
			bma__refill_lower(e, node);
		renew(e, false);
		bma__engine_shrink(e, 0);
	}
	bma__engine_end(e);
	bma__ticket_close(&ticket);
}

uint64_t bma__settle_tick(uint64_t now)
{
	static _Atomic uint64_t next;
	static _Atomic bool restless;
	uint64_t due;
	struct bma__engine *e = NULL;
	bool any;

	due = atomic_load_explicit(&next, memory_order_relaxed);
	if (now < due)
		return atomic_load_explicit(&restless, memory_order_relaxed) ? due - now
									     : UINT64_MAX;
	if (!atomic_compare_exchange_strong_explicit(&next, &due, now + period(),
						     memory_order_relaxed, memory_order_relaxed))
		return period(); /* somebody else looks */
	any = bma__mag_tick();
	while ((e = bma__engine_next(e)))
		any |= look(e, now);
	atomic_store_explicit(&restless, any, memory_order_relaxed);
	return any ? period() : UINT64_MAX;
}
