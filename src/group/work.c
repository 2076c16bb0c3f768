/* SPDX-License-Identifier: MIT */
/*
 * What is counted of a group, and what it wants done.
 *
 * Who wants work sets the bits of the group, then the bit of its place, then the bit of 1024 places; who takes clears and looks in the other order. All of it
 * sequentially consistent: so a bit that is set after the taker looked is followed by a bit that he has yet to look at. A bit without work behind it, of
 * a group that is gone or that somebody else has taken, is passed over.
 *
 * Ordering: MO-38 (docs/memory-ordering.md).
 */
#include "place.h"

#define EACH 16u /* words of 64 places for one bit of the summary */

static void nobody(void)
{
}

void (*bma__group_wake)(void) = nobody;
static _Atomic uint64_t summary, places[64 * EACH];

void bma__group_event(struct bma__group *g, enum bma_group_event event)
{
	atomic_fetch_add_explicit(&g->local[event], 1, memory_order_relaxed);
	for (; g; g = g->parent)
		atomic_fetch_add_explicit(&g->events[event], 1, memory_order_relaxed);
}

void bma__group_fail(struct bma__group *g, enum bma_group_cause cause)
{
	atomic_fetch_add_explicit(&g->fails[cause], 1, memory_order_relaxed);
}

/* Set a bit; was it clear? Looking first keeps the line shared among those who want what is wanted already. */
static bool raise(_Atomic uint64_t *word, uint64_t bit)
{
	return !(atomic_load(word) & bit) && !(atomic_fetch_or(word, bit) & bit);
}

static bool want(struct bma__group *g, uint32_t work)
{
	uint32_t index = bma__place_index(g), word = index / 64;
	bool fresh = (atomic_load(&g->work) & work) != work &&
		     (atomic_fetch_or(&g->work, work) & work) != work;

	/* Whoever was first may have been stopped before these. */
	fresh |= raise(&places[word], (uint64_t)1 << index % 64);
	fresh |= raise(&summary, (uint64_t)1 << word / EACH);
	return fresh;
}

void bma__group_want(struct bma__group *g, uint32_t work)
{
	if (want(g, work))
		bma__group_wake();
}

void bma__group_want_later(struct bma__group *g, uint32_t work)
{
	want(g, work);
}

/* Of the places under one bit of the summary, which is clear. */
static struct bma__group *take(uint32_t first, uint32_t *work)
{
	for (uint32_t word = first * EACH; word < (first + 1) * EACH; word++) {
		uint64_t bits;

		while ((bits = atomic_load(&places[word]))) {
			uint32_t bit = (uint32_t)__builtin_ctzll(bits);
			struct bma__group *g = bma__place_at(word * 64 + bit);

			atomic_fetch_and(&places[word], ~((uint64_t)1 << bit));
			*work = atomic_exchange(&g->work, 0);
			if (*work && atomic_load_explicit(&g->state, memory_order_relaxed) !=
					     BMA__GROUP_FREE)
				return g;
		}
	}
	return NULL;
}

struct bma_group *bma__group_take_work(uint32_t *work)
{
	uint64_t bits;

	while ((bits = atomic_load(&summary))) {
		uint32_t first = (uint32_t)__builtin_ctzll(bits);
		struct bma__group *g;

		atomic_fetch_and(&summary, ~((uint64_t)1 << first));
		g = take(first, work);
		if (!g)
			continue;
		/* There may be more. */
		atomic_fetch_or(&summary, (uint64_t)1 << first);
		return bma__group_handle(g);
	}
	return NULL;
}
