/* SPDX-License-Identifier: MIT */
/* Tagged stacks and depots, see depot.h. */
#include "cache.h"

#include <sched.h>

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

/* Node of the CPU that runs this; with one node nobody asks. */
static uint32_t node_now(void)
{
	int cpu;

	if (bma__topo.nodes == 1)
		return 0;
	cpu = sched_getcpu();
	return cpu < 0 ? 0 : bma__topo_node((uint32_t)cpu);
}

/* The next owner reads all of it soon, and it comes from another CPU's cache. */
static void prefetch(uint32_t class, uintptr_t word)
{
	for (uintptr_t line = bma__mag_base(class, word); line <= word; line += BMA_CACHELINE)
		__builtin_prefetch((const void *)line, 1);
}

static uintptr_t get_from(struct bma__engine *e, struct bma__depot *d)
{
	uint32_t left = 0, index = pop(&d->full, &left);
	uintptr_t word;

	if (!index)
		return 0;
	atomic_fetch_add_explicit(&d->exchanges, 1, memory_order_relaxed);
	if (left < atomic_load_explicit(&d->low_seen, memory_order_relaxed))
		atomic_store_explicit(&d->low_seen, left, memory_order_relaxed);
	if (left < atomic_load_explicit(&e->low_mags, memory_order_relaxed))
		bma__worker_kick(e);
	word = bma__stack_word(e->class, index);
	prefetch(e->class, word);
	return word;
}

uintptr_t bma__depot_get(struct bma__engine *e)
{
	uint32_t nodes = bma__topo.nodes, node = node_now();

	for (uint32_t i = 0; i < nodes; i++) {
		uintptr_t word = get_from(e, &e->depot[(node + i) % nodes]);

		if (word)
			return word;
	}
	return 0;
}

void bma__depot_put(struct bma__engine *e, uintptr_t word)
{
	struct bma__depot *d = &e->depot[node_now()];
	uint32_t depth =
		push(&d->full, bma__mag_index(e->class, word), bma__mag_count(e->class, word));

	atomic_fetch_add_explicit(&d->exchanges, 1, memory_order_relaxed);
	if (depth > atomic_load_explicit(&e->high_mags, memory_order_relaxed) &&
	    !atomic_load_explicit(&e->watched, memory_order_relaxed))
		bma__worker_kick(e);
}

uintptr_t bma__depot_get_empty(struct bma__engine *e)
{
	struct bma__depot *d = &e->depot[node_now()];
	uintptr_t word = bma__stack_pop(&d->empty, e->class);

	if (!word)
		return bma__mag_new(e->class);
	atomic_fetch_add_explicit(&d->empty_exchanges, 1, memory_order_relaxed);
	return word;
}

void bma__depot_put_empty(struct bma__engine *e, uintptr_t word)
{
	struct bma__depot *d = &e->depot[node_now()];

	bma__stack_push(&d->empty, e->class, word);
	atomic_fetch_add_explicit(&d->empty_exchanges, 1, memory_order_relaxed);
}

uint32_t bma__depot_magazines(const struct bma__engine *e)
{
	uint32_t n = 0;

	for (uint32_t node = 0; node < bma__topo.nodes; node++)
		n += bma__stack_depth(&e->depot[node].full);
	return n;
}
