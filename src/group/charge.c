/* SPDX-License-Identifier: MIT */
/*
 * Charging.
 *
 * For each level, from the group up:
 *	sum = usage + bytes; overflow or sum + borrowed > max -> undo the levels below, refuse
 *	usage: seen -> sum by compare and exchange, else again
 *	sum + borrowed > max (one of which was changed meanwhile) -> undo this level and those below, refuse
 * and when all levels have it, for each: peak, high, thresholds. That is a pass of its own, over lines that the first one has fetched: a charge that is
 * refused leaves no trace in the levels below.
 *
 * Ordering: MO-36, MO-39 (docs/memory-ordering.md).
 */
#include "group.h"

#include <errno.h>

static uint64_t get(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* @usage with what @g borrows, see shared.h. */
static inline uint64_t with(const struct bma__group *g, uint64_t usage)
{
	uint64_t sum, borrowed = atomic_load_explicit(&g->borrowed, memory_order_seq_cst);

	return __builtin_add_overflow(usage, borrowed, &sum) ? UINT64_MAX : sum;
}

static inline bool add(struct bma__group *g, uint64_t bytes, uint64_t *now)
{
	uint64_t seen = get(&g->usage), sum;

	do {
		if (__builtin_add_overflow(seen, bytes, &sum) || with(g, sum) > get(&g->max))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&g->usage, &seen, sum, memory_order_seq_cst,
							memory_order_relaxed));
	*now = sum;
	/* Either this sees a max that was lowered, or a borrow, or who did it sees the charge. */
	if (bma__likely(with(g, sum) <= atomic_load_explicit(&g->max, memory_order_seq_cst)))
		return true;
	atomic_fetch_sub_explicit(&g->usage, bytes, memory_order_relaxed);
	return false;
}

static inline void look_low(struct bma__group *g, uint64_t usage)
{
	uint64_t now = with(g, usage);

	/* Against who opens a window and then looks at usage, see notify.c. */
	if (bma__unlikely(now < atomic_load_explicit(&g->notify_low, memory_order_seq_cst)))
		bma__notify_crossed(g, now);
}

static void uncharge(struct bma__group *g, const struct bma__group *stop, uint64_t bytes)
{
	for (; g != stop; g = g->parent) {
		uint64_t was = atomic_fetch_sub_explicit(&g->usage, bytes, memory_order_seq_cst);

		bma__assert(was >= bytes);
		look_low(g, was - bytes);
	}
}

static void raise_peak(struct bma__group *g, uint64_t now)
{
	uint64_t peak = get(&g->peak);

	while (peak < now &&
	       !atomic_compare_exchange_weak_explicit(&g->peak, &peak, now, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

static inline void settle(struct bma__group *g, uint64_t usage)
{
	uint64_t now = with(g, usage);

	if (now > get(&g->peak))
		raise_peak(g, now);
	if (bma__unlikely(now > get(&g->high))) {
		BMA__PROBE(group_high, g->name, now, get(&g->high));
		bma__group_event(g, BMA_GROUP_EVENT_HIGH);
		bma__group_want(g, BMA__GROUP_WORK_RECLAIM);
	}
	if (bma__unlikely(now >= get(&g->notify_high)))
		bma__notify_crossed(g, now);
}

static void full(struct bma__group *g)
{
	BMA__PROBE(group_max, g->name, get(&g->usage), get(&g->max));
	bma__group_event(g, BMA_GROUP_EVENT_MAX);
	bma__group_want(g, BMA__GROUP_WORK_RECLAIM);
}

static __attribute__((cold, noinline)) int refuse(struct bma__group *g, struct bma__group *by,
						  uint64_t bytes, struct bma__group **refused)
{
	uncharge(g, by, bytes);
	full(by);
	if (refused)
		*refused = by;
	return -EDQUOT;
}

/* @stop and what is above it is left alone; NULL: nothing is. */
static inline int charge(struct bma__group *g, const struct bma__group *stop, uint64_t bytes,
			 struct bma__group **refused)
{
	uint64_t now[BMA_GROUP_DEPTH_MAX + 1], *n = now;
	struct bma__group *at;

	for (at = g; at != stop; at = at->parent) {
		if (bma__unlikely(!add(at, bytes, n++)))
			return refuse(g, at, bytes, refused);
	}
	n = now;
	for (at = g; at != stop; at = at->parent)
		settle(at, *n++);
	return 0;
}

int bma__group_charge(struct bma__group *g, uint64_t bytes, struct bma__group **refused)
{
	return charge(g, NULL, bytes, refused);
}

void bma__group_uncharge(struct bma__group *g, uint64_t bytes)
{
	uncharge(g, NULL, bytes);
}

int bma__group_move(struct bma__group *from, struct bma__group *to, uint64_t bytes,
		    struct bma__group **refused)
{
	const struct bma__group *a = from, *b = to;
	int rc;

	/* Above a shared group there is nothing, and it is above none. */
	while (a != b) {
		const struct bma__group **lower = a && (!b || a->depth >= b->depth) ? &a : &b;

		*lower = (*lower)->parent;
	}
	rc = charge(to, a, bytes, refused);
	if (!rc)
		uncharge(from, a, bytes);
	return rc;
}

uint64_t bma__group_room(const struct bma__group *g)
{
	uint64_t least = UINT64_MAX;

	for (; g; g = g->parent) {
		uint64_t max = get(&g->max), now = bma__group_current(g);
		uint64_t room = now < max ? max - now : 0;

		least = room < least ? room : least;
	}
	return least;
}

uint64_t bma__group_tightest(const struct bma__group *g)
{
	uint64_t least = UINT64_MAX;

	for (; g; g = g->parent) {
		uint64_t max = get(&g->max);

		least = max < least ? max : least;
	}
	return least;
}

bool bma__group_reset_peak(const struct bma_group *handle)
{
	struct bma__group *g;
	uint64_t peak;

	/* Without the lock: the peak is its own if it was there after that was read, and that of another one at its place is left alone. */
	do {
		g = bma__group_online(handle);
		if (!g)
			return false;
		peak = atomic_load_explicit(&g->peak, memory_order_acquire);
		if (!bma__group_online(handle))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&g->peak, &peak, bma__group_current(g),
							memory_order_relaxed,
							memory_order_relaxed));
	/* A charge that read the peak before may have been made since. */
	raise_peak(g, bma__group_current(g));
	return true;
}

bool bma__group_lend_fits(const struct bma__group *g)
{
	return bma__group_current(g) <= atomic_load_explicit(&g->max, memory_order_seq_cst);
}

void bma__group_lend_refuse(struct bma__group *g)
{
	full(g);
}

void bma__group_lend_settle(struct bma__group *g)
{
	uint64_t usage = get(&g->usage);

	settle(g, usage);
	look_low(g, usage);
}
