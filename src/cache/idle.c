/* SPDX-License-Identifier: MIT */
/* Idle slots, see idle.h. Ordering: MO-43 (docs/memory-ordering.md). */
#include "cache.h"

#include <string.h>

/* Looks in the time after which a slot is idle. */
#define LOOKS 4u
/* A mark: the low bits of the generation, those of the loaded word but for the three that are always 0, and the looks at which they were the same. */
#define MARK_LOOKS_BITS 3
#define MARK_WORD_BITS 15
#define MARK_GEN_SHIFT (MARK_LOOKS_BITS + MARK_WORD_BITS)
#define MARK_WORD_SHIFT 3

static _Atomic bool looking;
static _Atomic uint64_t last; /* when it was looked, in nanoseconds */
/* Planes to be drained of the engine that is looked at. [who looks] */
static uint64_t chosen[(BMA__SLOTS_MAX + BMA__GUESTS_MAX) / BMA__PLANE_WORD];

/* Without looks. */
static uint32_t mark_of(const struct bma__slot *s)
{
	uintptr_t word = atomic_load_explicit(&s->loaded, memory_order_relaxed);
	uint32_t gen = atomic_load_explicit(&s->gen, memory_order_relaxed);
	uint32_t low = (uint32_t)(word >> MARK_WORD_SHIFT) & ((1u << MARK_WORD_BITS) - 1);

	return gen << MARK_GEN_SHIFT | low << MARK_LOOKS_BITS;
}

/* Is the slot of @plane to be drained? @looks: since the last look, in quarters. */
static bool look_at_slot(struct bma__engine *e, uint32_t plane, uint32_t looks, bool wanted)
{
	struct bma__slot *s = bma__slot_at(e, plane);
	uint32_t was = atomic_load_explicit(&s->mark, memory_order_relaxed), now = mark_of(s);
	uint32_t same = was & ((1u << MARK_LOOKS_BITS) - 1);
	uint32_t limit = bma__budget_limit(s);
	bool rests = was >> MARK_GEN_SHIFT == now >> MARK_GEN_SHIFT;

	same = was - same == now ? same + looks : 0;
	now |= same < LOOKS ? same : LOOKS;
	/* It is the owner's line. */
	if (now != was)
		atomic_store_explicit(&s->mark, now, memory_order_relaxed);
	return limit && (same >= LOOKS || (wanted && limit > e->tape && rests));
}

/* The node of the CPU that a slot is of, as far as its index says. */
static uint32_t node_of(uintptr_t plane)
{
	return bma__cpu.mode == BMA_MODE_RSEQ_CPU && plane < bma__cpu.slots
		       ? bma__topo_node((uint32_t)plane)
		       : bma__topo_node_now();
}

static void to_depot(struct bma__engine *e, struct bma__mag_stack *taken)
{
	uint32_t index = bma__stack_take_all(taken);

	while (index) {
		uint32_t next = bma__stack_next(e->class, index);
		uintptr_t word = bma__stack_word(e->class, index);
		uintptr_t plane = *bma__mag_plane(bma__mag_base(e->class, word));

		if (bma__mag_count(e->class, word))
			bma__depot_add(e, &e->depot[node_of(plane)], word);
		else
			bma__mag_release(e->class, word);
		index = next;
	}
}

/* What is above the depot's target then goes to the slabs by the worker's passes. */
static void drain_chosen(struct bma__engine *e)
{
	struct bma__mag_stack taken = {0};
	uint64_t before;

	bma__lock_take(&bma__drain_lock);
	bma__engine_begin(e);
	before = atomic_load_explicit(&e->slot_shrinks, memory_order_relaxed);
	bma__drain_slots(e, chosen, &taken);
	before = atomic_load_explicit(&e->slot_shrinks, memory_order_relaxed) - before;
	atomic_fetch_add_explicit(&e->idle_drains, before, memory_order_relaxed);
	to_depot(e, &taken);
	bma__engine_end(e);
	bma__lock_drop(&bma__drain_lock);
	/* To be drained, not filled: a trim may come before the next look. */
	atomic_store_explicit(&e->watched, true, memory_order_relaxed);
}

static void look_at(struct bma__engine *e, uint32_t looks, bool wanted)
{
	bool any = false;
	uint32_t plane;

	memset(chosen, 0, bma__plane_words(e->planes) * sizeof *chosen);
	bma__plane_for_each (e, plane) {
		if (!look_at_slot(e, plane, looks, wanted))
			continue;
		chosen[plane / BMA__PLANE_WORD] |= 1ull << plane % BMA__PLANE_WORD;
		any = true;
	}
	if (any)
		drain_chosen(e);
}

uint64_t bma__idle_look(void)
{
	uint64_t period = bma__env.idle_ns / LOOKS, now = bma__os_now(), at, looks;
	struct bma__engine *e = NULL;
	bool wanted;

	if (!period || !bma__budget_used())
		return UINT64_MAX;
	/* Somebody else may have looked since the time was read. */
	at = atomic_load_explicit(&last, memory_order_relaxed);
	if (now < at + period)
		return at + period - now;
	if (atomic_exchange_explicit(&looking, true, memory_order_acquire))
		return period;
	looks = (now - at) / period;
	wanted = bma__budget_wanted();
	while ((e = bma__engine_next(e)))
		look_at(e, looks < LOOKS ? (uint32_t)looks : LOOKS, wanted);
	atomic_store_explicit(&last, now, memory_order_relaxed);
	atomic_store_explicit(&looking, false, memory_order_release);
	return period;
}

void bma__idle_after_fork(void)
{
	atomic_store_explicit(&looking, false, memory_order_relaxed);
}
