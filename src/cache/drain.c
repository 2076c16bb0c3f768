/* SPDX-License-Identifier: MIT */
/* Drain, see drain.h. */
#include "cache.h"

#define TRIES 8

struct bma__lock bma__drain_lock = BMA__LOCK_INIT(BMA__RANK_DRAIN);

void bma__drain_magazine(struct bma__engine *e, uintptr_t word)
{
	uintptr_t base = bma__mag_base(e->class, word);

	bma__engine_home(e, bma__mag_elements(base), bma__mag_count(e->class, word));
	if (e->flags & BMA__CACHE_TOOLS)
		bma__tools_forget(bma__mag_elements(base),
				  bma__mag_count(e->class, word) * sizeof(void *));
	bma__mag_release(e->class, bma__mag_word(base, 0));
	atomic_fetch_add_explicit(&e->drains, 1, memory_order_relaxed);
}

static void put_out(struct bma__engine *e, uintptr_t base, uint32_t count,
		    struct bma__mag_stack *out)
{
	bma__stack_push(out, e->class, bma__mag_word(base, count));
}

static uintptr_t link_of(const _Atomic uintptr_t *link)
{
	return atomic_load_explicit(link, memory_order_relaxed);
}

/* A tape that is ours, by its loaded word: that one, the full ones to its left, the empty to its right. */
static void take_tape(struct bma__engine *e, uintptr_t word, struct bma__mag_stack *out)
{
	uintptr_t base = bma__mag_base(e->class, word), left, right, next;

	if (!word)
		return;
	left = link_of(&bma__mag_links(base)->prev);
	right = link_of(&bma__mag_links(base)->next);
	put_out(e, base, bma__mag_count(e->class, word), out);
	for (; left; left = next) {
		next = link_of(&bma__mag_links(left)->prev);
		put_out(e, left, e->capacity, out);
	}
	for (; right; right = next) {
		next = link_of(&bma__mag_links(right)->next);
		put_out(e, right, 0, out);
	}
}

static void drain_guest(struct bma__engine *e, struct bma__slot *s, struct bma__mag_stack *out)
{
	uintptr_t nobody = 0;

	if (!atomic_compare_exchange_strong_explicit(&s->owner, &nobody, bma__cpu_thread(),
						     memory_order_acquire, memory_order_relaxed))
		return;
	take_tape(e, atomic_exchange_explicit(&s->loaded, 0, memory_order_relaxed), out);
	atomic_store_explicit(&s->owner, 0, memory_order_release);
}

/* Step 2 for one slot. */
static int drain_loaded(struct bma__engine *e, struct bma__slot *s, struct bma__mag_stack *out)
{
	for (int i = 0; i < TRIES; i++) {
		uintptr_t word = atomic_exchange_explicit(&s->loaded, 0, memory_order_acq_rel);
		uintptr_t none = 0;
		int rc;

		if (!word)
			return 0;
		rc = bma__cpu_fence();
		if (rc) {
			atomic_compare_exchange_strong_explicit(&s->loaded, &none, word,
								memory_order_acq_rel,
								memory_order_relaxed);
			return rc;
		}
		if (!atomic_load_explicit(&s->loaded, memory_order_acquire)) {
			take_tape(e, word, out);
			return 0;
		}
	}
	return 0;
}

static void set_freeze(struct bma__engine *e, uint32_t value)
{
	uint32_t plane;

	bma__plane_for_each (e, plane) {
		if (plane < bma__cpu.slots)
			atomic_store_explicit(&bma__slot_at(e, plane)->freeze, value,
					      memory_order_seq_cst);
	}
}

static int drain_indexed(struct bma__engine *e, struct bma__mag_stack *out)
{
	uint32_t plane;
	int rc;

	set_freeze(e, 1);
	rc = bma__cpu_fence();
	bma__plane_for_each (e, plane) {
		struct bma__slot *s = bma__slot_at(e, plane);

		/* A slot first used after set_freeze() is not ours. */
		if (rc || plane >= bma__cpu.slots ||
		    !atomic_load_explicit(&s->freeze, memory_order_relaxed))
			continue;
		rc = drain_loaded(e, s, out);
		atomic_fetch_add_explicit(&s->gen, 1, memory_order_relaxed);
	}
	set_freeze(e, 0);
	return rc;
}

int bma__drain_slots(struct bma__engine *e, struct bma__mag_stack *out)
{
	uint32_t plane;

	bma__plane_for_each (e, plane) {
		if (plane >= bma__cpu.slots)
			drain_guest(e, bma__slot_at(e, plane), out);
	}
	if (bma__cpu.mode == BMA_MODE_GUEST)
		return 0;
	return drain_indexed(e, out);
}
