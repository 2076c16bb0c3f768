/* SPDX-License-Identifier: MIT */
/*
 * Tagged stacks of magazines, and the depot made of them.
 *
 * Stack protocol. The head is one 64-bit word {tag, index}; every change of it by anybody adds 1 to
 * the tag. Push writes the link of its magazine (in hand, so nobody else writes it), then exchanges
 * the head with release. Pop reads the head with acquire, the link of the top (which may be stale:
 * links are type-stable), then exchanges with acquire. Invariant: a magazine is on at most one
 * stack, once, and whoever exchanged the head away from it has it in hand. A pop that read a stale
 * link fails, because the head changed and its tag with it; it would take 2^32 changes during one
 * pop to deceive it. Ordering: the push's release is read by the pop's acquire, so elements and
 * everything done to the objects before they were freed are visible to who takes them out. A stale
 * pop's acquire is harmless. Both are lock-free: a failed exchange means that another one
 * succeeded.
 */
#ifndef BMA_CACHE_DEPOT_H
#define BMA_CACHE_DEPOT_H

#include "page/page.h"

struct bma__engine;
struct bma__slot;

struct bma__mag_stack {
	_Atomic uint64_t head;
};

void bma__stack_push(struct bma__mag_stack *stack, uint32_t class, uintptr_t word);
void bma__stack_push_index(struct bma__mag_stack *stack, uint32_t index, uint32_t count);
/* Pop; @depth (may be NULL) is how many are left. Returns the word, or 0. */
uintptr_t bma__stack_pop(struct bma__mag_stack *stack, uint32_t class);
/* Take the whole chain: index of its first magazine, or 0; the rest follows by bma__stack_next().
 */
uint32_t bma__stack_take_all(struct bma__mag_stack *stack);
uint32_t bma__stack_next(uint32_t index);
/* How many magazines are on a stack (a snapshot). */
uint32_t bma__stack_depth(const struct bma__mag_stack *stack);
/* The word of a magazine that was taken from a stack by its index. */
uintptr_t bma__stack_word(uint32_t class, uint32_t index);

/* What an engine keeps on one node, the two stacks on lines of their own. */
struct bma__depot {
	struct bma__mag_stack full __attribute__((aligned(2 * BMA_CACHELINE)));
	_Atomic uint64_t exchanges; /* with slots, of full ones */
	_Atomic uint32_t low_seen;  /* least depth after a pop since the worker looked */
	struct bma__mag_stack empty __attribute__((aligned(2 * BMA_CACHELINE)));
	_Atomic uint64_t empty_exchanges;
};

/*
 * Take a full magazine: from the depot of the CPU's node, else of another. Wakes the worker when
 * the depot falls below its low watermark. Returns the word, or 0. Any context.
 */
uintptr_t bma__depot_get(struct bma__engine *e);
/* Put a magazine with elements in the depot. Wakes the worker above the high watermark. Any
 * context. */
void bma__depot_put(struct bma__engine *e, uintptr_t word);
/* An empty one: from the depot, the idle ones of its class, or fresh. 0: none to be had. Any
 * context. */
uintptr_t bma__depot_get_empty(struct bma__engine *e);
void bma__depot_put_empty(struct bma__engine *e, uintptr_t word);

/* Objects and magazines of all nodes' full stacks (snapshots; the object count walks them). */
uint32_t bma__depot_magazines(const struct bma__engine *e);

#endif /* BMA_CACHE_DEPOT_H */
