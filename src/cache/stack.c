/* SPDX-License-Identifier: MIT */
/* Tagged stacks of magazines, see stack.h. */
#include "cache.h"

static uint32_t top(uint64_t head)
{
	return (uint32_t)head;
}

static uint64_t next_head(uint64_t head, uint32_t index)
{
	return ((head >> 32) + 1) << 32 | index;
}

static uint32_t depth_of(uint32_t index)
{
	return index ? atomic_load_explicit(&bma__mag_meta(index)->info, memory_order_relaxed) >>
			       BMA__MAG_COUNT_BITS
		     : 0;
}

static uint32_t push(struct bma__mag_stack *stack, uint32_t index, uint32_t count)
{
	struct bma__mag_meta *meta = bma__mag_meta(index);
	uint64_t head = atomic_load_explicit(&stack->head, memory_order_relaxed);
	uint32_t depth;

	do {
		depth = depth_of(top(head)) + 1;
		atomic_store_explicit(&meta->next, top(head), memory_order_relaxed);
		atomic_store_explicit(&meta->info, depth << BMA__MAG_COUNT_BITS | count,
				      memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(&stack->head, &head, next_head(head, index),
							memory_order_release,
							memory_order_relaxed));
	return depth;
}

/* Index of the top, in hand now, or 0; @left: depth after it. */
static uint32_t pop(struct bma__mag_stack *stack, uint32_t *left)
{
	uint64_t head = atomic_load_explicit(&stack->head, memory_order_acquire);
	uint32_t next;

	do {
		if (!top(head))
			return 0;
		next = atomic_load_explicit(&bma__mag_meta(top(head))->next, memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(&stack->head, &head, next_head(head, next),
							memory_order_acquire,
							memory_order_acquire));
	*left = depth_of(top(head)) - 1;
	return top(head);
}

uintptr_t bma__stack_word(uint32_t class, uint32_t index)
{
	uint32_t info = atomic_load_explicit(&bma__mag_meta(index)->info, memory_order_relaxed);

	return bma__mag_word(bma__mag_at(class, index), info & BMA__MAG_COUNT_MASK);
}

void bma__stack_push_index(struct bma__mag_stack *stack, uint32_t index, uint32_t count)
{
	push(stack, index, count);
}

void bma__stack_push(struct bma__mag_stack *stack, uint32_t class, uintptr_t word)
{
	push(stack, bma__mag_index(class, word), bma__mag_count(class, word));
}

uintptr_t bma__stack_pop(struct bma__mag_stack *stack, uint32_t class)
{
	uint32_t left, index = pop(stack, &left);

	return index ? bma__stack_word(class, index) : 0;
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

uint32_t bma__stack_next(uint32_t index)
{
	return atomic_load_explicit(&bma__mag_meta(index)->next, memory_order_relaxed);
}

uint32_t bma__stack_depth(const struct bma__mag_stack *stack)
{
	return depth_of(top(atomic_load_explicit(&stack->head, memory_order_relaxed)));
}
