/* SPDX-License-Identifier: MIT */
/*
 * Counts that a child of fork makes anew, because calls of threads that are not there had half done what they count.
 *
 * The child counts what it finds. But the forking thread goes on, and may be in the middle of such a call itself: a handler
 * forked there. So a count has the generation of the process (ticket.h) in its low bits, as tickets and the budget do: one
 * instruction changes the one and looks at the other, and a fork falls before it or after it. What a call counted
 * before a fork is void after it: it counts once more, and lowers nothing.
 *
 * Ordering: MO-5, MO-21 (docs/memory-ordering.md). bma__count_announce() is sequentially consistent; the other changes are
 * releases and bma__count_read() an acquire, so who reads that nothing is left sees what was done before.
 */
#ifndef BMA_CACHE_COUNT_H
#define BMA_CACHE_COUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bma__count {
	_Atomic uint64_t word; /* the value times BMA__COUNT_ONE, and the generation */
};

#define BMA__COUNT_ONE ((uint64_t)16)

static inline uint64_t bma__count_read(const struct bma__count *c)
{
	return atomic_load_explicit(&c->word, memory_order_acquire) / BMA__COUNT_ONE;
}

/* The generation that it is of now. */
static inline uint32_t bma__count_generation(const struct bma__count *c)
{
	return (uint32_t)(atomic_load_explicit(&c->word, memory_order_relaxed) % BMA__COUNT_ONE);
}

/* Raise by @n, in whatever generation this is. Returns that; *@before: the value. */
static inline uint32_t bma__count_add(struct bma__count *c, uint64_t n, uint64_t *before)
{
	uint64_t word =
		atomic_fetch_add_explicit(&c->word, n * BMA__COUNT_ONE, memory_order_release);

	*before = word / BMA__COUNT_ONE;
	return (uint32_t)(word % BMA__COUNT_ONE);
}

/* The same by 1, before what it announces is done. */
static inline uint32_t bma__count_announce(struct bma__count *c)
{
	return (uint32_t)(atomic_fetch_add_explicit(&c->word, BMA__COUNT_ONE,
						    memory_order_seq_cst) %
			  BMA__COUNT_ONE);
}

/* Raise, or lower, by @n, in whatever generation this is: where no handler comes in between. */
static inline void bma__count_raise(struct bma__count *c, uint64_t n)
{
	atomic_fetch_add_explicit(&c->word, n * BMA__COUNT_ONE, memory_order_release);
}

static inline void bma__count_lower(struct bma__count *c, uint64_t n)
{
	atomic_fetch_sub_explicit(&c->word, n * BMA__COUNT_ONE, memory_order_release);
}

/* Add @n, or take it away by adding its negative, if it is still of @generation. Returns whether it was; *@value: what it is then. */
static inline bool bma__count_change(struct bma__count *c, uint64_t n, uint32_t generation,
				     uint64_t *value)
{
	uint64_t word = atomic_load_explicit(&c->word, memory_order_relaxed);

	do {
		if (word % BMA__COUNT_ONE != generation)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&c->word, &word, word + n * BMA__COUNT_ONE,
							memory_order_release,
							memory_order_relaxed));
	*value = word / BMA__COUNT_ONE + n;
	return true;
}

/* In a child of fork, after its generation began. */
static inline void bma__count_anew(struct bma__count *c, uint64_t n, uint32_t generation)
{
	atomic_store_explicit(&c->word, n * BMA__COUNT_ONE + generation, memory_order_relaxed);
}

#endif /* BMA_CACHE_COUNT_H */
