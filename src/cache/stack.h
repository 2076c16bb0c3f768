/* SPDX-License-Identifier: MIT */
/*
 * Tagged stacks of magazines.
 *
 * The head is one 64-bit word {tag, index}; every change of it by anybody adds 1 to the tag. Push writes
 * the link of its magazine (in hand, so nobody else writes it), then exchanges the head with release. Pop
 * reads the head with acquire, the link of the top (which may be stale: links are type-stable), then
 * exchanges with acquire.
 *
 * Invariant: a magazine is on at most one stack, once, and whoever exchanged the head away from it has it
 * in hand. A pop that read a stale link fails, because the head changed and its tag with it; it would take
 * 2^32 changes during one pop to deceive it.
 *
 * Ordering: the push's release is read by the pop's acquire, so elements and everything done to the objects
 * before they were freed are visible to who takes them out. A stale pop's acquire is harmless. Both are
 * lock-free: a failed exchange means that another one succeeded.
 */
#ifndef BMA_CACHE_STACK_H
#define BMA_CACHE_STACK_H

#include "page/page.h"

struct bma__mag_stack {
	_Atomic uint64_t head;
};

/*
 * Where the link of a magazine is: in the magazine, whose next owner needs that line anyway, or, for those
 * that are idle, out of line (class | BMA__STACK_OUTLINE), so that their pages can be given back meanwhile.
 */
#define BMA__STACK_OUTLINE 0x100u

void bma__stack_push(struct bma__mag_stack *stack, uint32_t class, uintptr_t word);
/* The same if nothing has changed since bma__stack_head() gave @head. Returns whether it was pushed. */
uint64_t bma__stack_head(const struct bma__mag_stack *stack);
bool bma__stack_push_on(struct bma__mag_stack *stack, uint32_t class, uintptr_t word,
			uint64_t head);
/* A change that changes nothing, for who has seen the head. */
void bma__stack_touch(struct bma__mag_stack *stack);
/*
 * A chain of magazines in hand, which nobody else sees: append @word, which has to outlive the chain's making, and
 * push all of it at once, in its order, which costs what one push costs. An empty chain is all zeros.
 */
struct bma__mag_chain {
	uint32_t first, last; /* indices; 0: none */
};
void bma__stack_append(struct bma__mag_chain *chain, uint32_t class, uintptr_t word);
void bma__stack_push_chain(struct bma__mag_stack *stack, uint32_t class,
			   const struct bma__mag_chain *chain);
/* Returns the word of the top, in hand now, or 0. */
uintptr_t bma__stack_pop(struct bma__mag_stack *stack, uint32_t class);
/* Take the whole chain: index of its first magazine, or 0; the rest follows by bma__stack_next(). */
uint32_t bma__stack_take_all(struct bma__mag_stack *stack);
uint32_t bma__stack_next(uint32_t class, uint32_t index);
/* The word of a magazine on a chain. */
uintptr_t bma__stack_word(uint32_t class, uint32_t index);

#endif /* BMA_CACHE_STACK_H */
