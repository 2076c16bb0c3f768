/* SPDX-License-Identifier: MIT */
/* Drain, see drain.h. */
#include "cache.h"

#define TRIES 8

struct bma__lock bma__drain_lock = BMA__LOCK_INIT(BMA__RANK_DRAIN);

void bma__drain_magazine(struct bma__engine *e, uintptr_t word)
{
	uintptr_t base = bma__mag_base(e->class, word);

	bma__engine_home(e, bma__mag_elements(base), bma__mag_count(e->class, word));
	bma__mag_release(e->class, bma__mag_word(base, 0));
	atomic_fetch_add_explicit(&e->drains, 1, memory_order_relaxed);
}

static void take_local(struct bma__engine *e, _Atomic uint64_t *stack, struct bma__mag_stack *out)
{
	uint64_t head = atomic_load_explicit(stack, memory_order_acquire);
	uint32_t index = (uint32_t)head;

	/* The tag goes on, for a call that read the old head and was stopped before its sequence.
	 */
	atomic_store_explicit(stack, ((head >> 32) + 1) << 32, memory_order_relaxed);
	while (index) {
		uint32_t next = bma__stack_next(index);

		bma__stack_push(out, e->class, bma__stack_word(e->class, index));
		index = next;
	}
}

static void put_out(struct bma__engine *e, uintptr_t word, struct bma__mag_stack *out)
{
	if (word)
		bma__stack_push(out, e->class, word);
}

static void drain_guest(struct bma__engine *e, struct bma__slot *s, struct bma__mag_stack *out)
{
	uintptr_t nobody = 0;

	if (!atomic_compare_exchange_strong_explicit(&s->owner, &nobody, bma__cpu_thread(),
						     memory_order_acquire, memory_order_relaxed))
		return;
	put_out(e, atomic_exchange_explicit(&s->loaded, 0, memory_order_relaxed), out);
	take_local(e, &s->full, out);
	take_local(e, &s->empty, out);
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
			put_out(e, word, out);
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
		take_local(e, &s->full, out);
		take_local(e, &s->empty, out);
		rc = drain_loaded(e, s, out);
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
