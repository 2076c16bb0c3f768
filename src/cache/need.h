/* SPDX-License-Identifier: MIT */
/*
 * Needs: a set of engines that somebody should look at, one bit for each id.
 *
 * Who has a need sets the bit after he has published what it is about; who serves it clears the bit before he
 * looks. So a need that arises meanwhile sets its bit again, and none is lost. A bit may outlive its need, even
 * its engine: then the next one of that id is looked at, which may be of another flavour. A look at a bit that is still
 * set comes after a full fence: it means that the server has yet to look.
 *
 * Ordering: MO-6 (docs/memory-ordering.md).
 */
#ifndef BMA_CACHE_NEED_H
#define BMA_CACHE_NEED_H

#include "engine.h"

#define BMA__NEED_WORDS (BMA__ENGINES_MAX / 64)

struct bma__need {
	_Atomic uint64_t word[BMA__NEED_WORDS];
};

/* Any context. */
static inline void bma__need_set(struct bma__need *n, uint32_t id)
{
	uint64_t bit = 1ull << id % 64;

	atomic_thread_fence(memory_order_seq_cst);
	if (!(atomic_load_explicit(&n->word[id / 64], memory_order_relaxed) & bit))
		atomic_fetch_or_explicit(&n->word[id / 64], bit, memory_order_seq_cst);
}

static inline void bma__need_clear(struct bma__need *n, uint32_t id)
{
	atomic_fetch_and_explicit(&n->word[id / 64], ~(1ull << id % 64), memory_order_seq_cst);
	atomic_thread_fence(
		memory_order_seq_cst); /* an exchange alone does not order a later load */
}

static inline bool bma__need_any(const struct bma__need *n)
{
	for (uint32_t w = 0; w < BMA__NEED_WORDS; w++) {
		if (atomic_load_explicit(&n->word[w], memory_order_relaxed))
			return true;
	}
	return false;
}

/* Clear the bits of the next word at or after *@w that has any, and set *@w to it; 0: there is none. */
static inline uint64_t bma__need_take(struct bma__need *n, uint32_t *w)
{
	uint64_t bits = 0;

	for (; *w < BMA__NEED_WORDS && !bits; *w += !bits) {
		if (atomic_load_explicit(&n->word[*w], memory_order_relaxed))
			bits = atomic_exchange_explicit(&n->word[*w], 0, memory_order_seq_cst);
	}
	atomic_thread_fence(memory_order_seq_cst); /* as above */
	return bits;
}

/*
 * For each engine whose bit is set: clear the bit, then run the body with @e pinned. Bits that are set
 * meanwhile may be served in this round or be left for the next.
 */
#define bma__need_for_each(n, e)                                                                   \
	for (uint32_t need_w = 0; need_w < BMA__NEED_WORDS; need_w++)                              \
		for (uint64_t need_bits = bma__need_take((n), &need_w); need_bits;                 \
		     need_bits &= need_bits - 1)                                                   \
			for (struct bma__engine * (e) = bma__engine_pin(                           \
				     need_w * 64 + (uint32_t)__builtin_ctzll(need_bits));          \
			     (e); bma__engine_unpin(e), (e) = NULL)

#endif /* BMA_CACHE_NEED_H */
