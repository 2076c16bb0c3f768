/* SPDX-License-Identifier: MIT */
/* Tagged stacks of magazines, see stack.h. Ordering: MO-1 (docs/memory-ordering.md). */
#include "cache.h"

/* A link is count << 32 | index of the next one. */
static _Atomic uint64_t *link_of(uint32_t class, uint32_t index)
{
	if (class & BMA__STACK_OUTLINE)
		return bma__mag_link(index);
	return (_Atomic uint64_t *)bma__mag_at(class, index);
}

static uint64_t load_link(uint32_t class, uint32_t index)
{
	return atomic_load_explicit(link_of(class, index), memory_order_relaxed);
}

static uint32_t top(uint64_t head)
{
	return (uint32_t)head;
}

static uint64_t next_head(uint64_t head, uint32_t index)
{
	return ((head >> 32) + 1) << 32 | index;
}

uint64_t bma__stack_head(const struct bma__mag_stack *stack)
{
	return atomic_load_explicit(&stack->head, memory_order_relaxed);
}

bool bma__stack_push_on(struct bma__mag_stack *stack, uint32_t class, uintptr_t word, uint64_t head)
{
	uint32_t plain = class & ~BMA__STACK_OUTLINE, index = bma__mag_index(plain, word);
	uint64_t count = (uint64_t)bma__mag_count(plain, word) << 32;

	atomic_store_explicit(link_of(class, index), count | top(head), memory_order_relaxed);
	return atomic_compare_exchange_strong_explicit(&stack->head, &head, next_head(head, index),
						       memory_order_release, memory_order_relaxed);
}

void bma__stack_push(struct bma__mag_stack *stack, uint32_t class, uintptr_t word)
{
	while (!bma__stack_push_on(stack, class, word, bma__stack_head(stack)))
		;
}

void bma__stack_touch(struct bma__mag_stack *stack)
{
	uint64_t head = bma__stack_head(stack);

	while (!atomic_compare_exchange_weak_explicit(&stack->head, &head,
						      next_head(head, top(head)),
						      memory_order_relaxed, memory_order_relaxed))
		;
}

/* The count of @index stays, what follows it changes. */
static void set_next(uint32_t class, uint32_t index, uint32_t next)
{
	uint64_t count = load_link(class, index) >> 32 << 32;

	atomic_store_explicit(link_of(class, index), count | next, memory_order_relaxed);
}

void bma__stack_append(struct bma__mag_chain *chain, uint32_t class, uintptr_t word)
{
	uint32_t index = bma__mag_index(class, word);
	uint64_t count = (uint64_t)bma__mag_count(class, word) << 32;

	atomic_store_explicit(link_of(class, index), count, memory_order_relaxed);
	if (chain->first)
		set_next(class, chain->last, index);
	else
		chain->first = index;
	chain->last = index;
}

void bma__stack_push_chain(struct bma__mag_stack *stack, uint32_t class,
			   const struct bma__mag_chain *chain)
{
	uint64_t head = atomic_load_explicit(&stack->head, memory_order_relaxed);

	if (!chain->first)
		return;
	do {
		set_next(class, chain->last, top(head));
	} while (!atomic_compare_exchange_weak_explicit(
		&stack->head, &head, next_head(head, chain->first), memory_order_release,
		memory_order_relaxed));
}

uintptr_t bma__stack_pop(struct bma__mag_stack *stack, uint32_t class)
{
	uint64_t head = atomic_load_explicit(&stack->head, memory_order_acquire);

	do {
		if (!top(head))
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(
		&stack->head, &head, next_head(head, bma__stack_next(class, top(head))),
		memory_order_acquire, memory_order_acquire));
	return bma__stack_word(class, top(head));
}

uint32_t bma__stack_take_all(struct bma__mag_stack *stack)
{
	uint64_t head = atomic_load_explicit(&stack->head, memory_order_acquire);

	while (top(head) &&
	       !atomic_compare_exchange_weak_explicit(&stack->head, &head, next_head(head, 0),
						      memory_order_acquire, memory_order_acquire))
		;
	return top(head);
}

uint32_t bma__stack_next(uint32_t class, uint32_t index)
{
	return (uint32_t)load_link(class, index);
}

uintptr_t bma__stack_word(uint32_t class, uint32_t index)
{
	uint32_t count = (uint32_t)(load_link(class, index) >> 32);

	return bma__mag_word(bma__mag_at(class & ~BMA__STACK_OUTLINE, index), count);
}
