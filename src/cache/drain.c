/* SPDX-License-Identifier: MIT */
/* Drain, see drain.h. Ordering: MO-8, MO-10, MO-42 (docs/memory-ordering.md). */
#include "cache.h"

#define TRIES 8
/* Slots of a batch. */
#define BATCH 256u

struct bma__lock bma__drain_lock = BMA__LOCK_INIT(BMA__RANK_DRAIN);

void bma__drain_magazine(struct bma__engine *e, uint32_t node, uintptr_t word)
{
	uintptr_t base = bma__mag_base(e->class, word);

	BMA__PROBE(drain, e->name, e->id, bma__mag_count(e->class, word), node);
	bma__engine_home(e, node, bma__mag_elements(base), bma__mag_count(e->class, word));
	if (e->flags & BMA__CACHE_TOOLS)
		bma__tools_forget(bma__mag_elements(base),
				  bma__mag_count(e->class, word) * sizeof(void *));
	bma__mag_release(e->class, bma__mag_word(base, 0));
	atomic_fetch_add_explicit(&e->drains, 1, memory_order_relaxed);
}

uint32_t bma__drain_stack(struct bma__engine *e, struct bma__mag_stack *stack)
{
	uint32_t index = bma__stack_take_all(stack), n = 0;

	while (index) {
		uint32_t next = bma__stack_next(e->class, index);
		uintptr_t word = bma__stack_word(e->class, index);

		if (bma__mag_count(e->class, word))
			bma__drain_magazine(e, BMA__NODE_ANY, word);
		else
			bma__mag_release(e->class, word);
		index = next;
		n++;
	}
	return n;
}

static void put_out(struct bma__engine *e, uintptr_t base, uint32_t count, uint32_t plane,
		    struct bma__mag_stack *out)
{
	*bma__mag_plane(base) = plane;
	bma__stack_push(out, e->class, bma__mag_word(base, count));
}

static uintptr_t link_of(const _Atomic uintptr_t *link)
{
	return atomic_load_explicit(link, memory_order_relaxed);
}

/* A tape that is ours, by its loaded word: that one, the full ones to its left, the empty to its right. */
static void take_tape(struct bma__engine *e, uintptr_t word, uint32_t plane,
		      struct bma__mag_stack *out)
{
	uintptr_t base = bma__mag_base(e->class, word), left, right, next;

	if (!word)
		return;
	left = link_of(&bma__mag_links(base)->prev);
	right = link_of(&bma__mag_links(base)->next);
	put_out(e, base, bma__mag_count(e->class, word), plane, out);
	for (; left; left = next) {
		next = link_of(&bma__mag_links(left)->prev);
		put_out(e, left, e->capacity, plane, out);
	}
	for (; right; right = next) {
		next = link_of(&bma__mag_links(right)->next);
		put_out(e, right, 0, plane, out);
	}
}

static void drain_guest(struct bma__engine *e, uint32_t plane, struct bma__mag_stack *out)
{
	struct bma__slot *s = bma__slot_at(e, plane);
	uintptr_t nobody = 0;

	if (!atomic_compare_exchange_strong_explicit(&s->owner, &nobody, bma__cpu_thread(),
						     memory_order_acquire, memory_order_relaxed))
		return;
	take_tape(e, atomic_exchange_explicit(&s->loaded, 0, memory_order_relaxed), plane, out);
	bma__budget_close(e, s);
	atomic_store_explicit(&s->owner, 0, memory_order_release);
}

/* Slots that are frozen by this. [lock: drain] */
static struct {
	struct bma__slot *slot;
	uint32_t plane;
	uintptr_t word;
	bool ours; /* what @word says, and 0 is nothing */
} batch[BATCH];
static uint32_t entries;

static void exchange_all(void)
{
	for (uint32_t i = 0; i < entries; i++) {
		if (!batch[i].ours)
			batch[i].word = atomic_exchange_explicit(&batch[i].slot->loaded, 0,
								 memory_order_acq_rel);
	}
}

/* After the fence, which failed if @rc is not 0. Returns how many are not ours. */
static uint32_t look_again(int rc)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < entries; i++) {
		struct bma__slot *s = batch[i].slot;
		uintptr_t none = 0;

		if (batch[i].ours)
			continue;
		if (rc && batch[i].word)
			atomic_compare_exchange_strong_explicit(&s->loaded, &none, batch[i].word,
								memory_order_acq_rel,
								memory_order_relaxed);
		else
			batch[i].ours = !atomic_load_explicit(&s->loaded, memory_order_acquire);
		left += !batch[i].ours;
	}
	return left;
}

static int drain_batch(struct bma__engine *e, struct bma__mag_stack *out)
{
	int rc = bma__cpu_fence();
	uint32_t left = entries;

	for (int tries = 0; !rc && left && tries < TRIES; tries++) {
		exchange_all();
		rc = bma__cpu_fence();
		left = look_again(rc);
	}
	for (uint32_t i = 0; i < entries; i++) {
		struct bma__slot *s = batch[i].slot;

		if (batch[i].ours) {
			take_tape(e, batch[i].word, batch[i].plane, out);
			bma__budget_close(e, s);
		}
		atomic_fetch_add_explicit(&s->gen, 1, memory_order_release);
		atomic_store_explicit(&s->freeze, 0, memory_order_release);
	}
	entries = 0;
	return rc;
}

static void gather(struct bma__engine *e, uint32_t plane)
{
	struct bma__slot *s = bma__slot_at(e, plane);

	atomic_store_explicit(&s->freeze, 1, memory_order_seq_cst);
	batch[entries].slot = s;
	batch[entries].plane = plane;
	batch[entries].ours = false;
	entries++;
}

static bool is_chosen(const uint64_t *chosen, uint32_t plane)
{
	return !chosen || chosen[plane / BMA__PLANE_WORD] >> plane % BMA__PLANE_WORD & 1;
}

int bma__drain_slots(struct bma__engine *e, const uint64_t *chosen, struct bma__mag_stack *out)
{
	uint32_t plane;
	int rc = 0;

	bma__plane_for_each (e, plane) {
		if (rc || !is_chosen(chosen, plane))
			continue;
		if (plane >= bma__cpu.slots)
			drain_guest(e, plane, out);
		else if (bma__cpu.mode != BMA_MODE_GUEST)
			gather(e, plane);
		if (entries == BATCH)
			rc = drain_batch(e, out);
	}
	return !rc && entries ? drain_batch(e, out) : rc;
}
