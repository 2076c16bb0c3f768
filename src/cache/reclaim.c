/* SPDX-License-Identifier: MIT */
/* Reclaim, see reclaim.h. */
#include "cache.h"

/* A thread that is preempted in mid-call gets the CPU back within this, or is not waited for by a
 * trim. */
#define TRIM_PATIENCE 100000000u

static void drain_stack(struct bma__engine *e, struct bma__mag_stack *stack)
{
	uint32_t index = bma__stack_take_all(stack);

	while (index) {
		uint32_t next = bma__stack_next(index);
		uintptr_t word = bma__stack_word(e->class, index);

		if (bma__mag_count(e->class, word))
			bma__drain_magazine(e, word);
		else
			bma__mag_release(e->class, word);
		index = next;
	}
}

uint64_t bma__reclaim_drain(struct bma__engine *e, uint64_t patience)
{
	struct bma__mag_stack taken = {0};
	uint64_t away;

	bma__engine_begin(e);
	bma__worker_forget(e);
	bma__park_collect(e);
	bma__lock_take(&bma__drain_lock);
	bma__ticket_wait(e, patience);
	bma__drain_slots(e, &taken);
	drain_stack(e, &taken);
	for (uint32_t node = 0; node < bma__topo.nodes; node++) {
		drain_stack(e, &e->depot[node].full);
		drain_stack(e, &e->depot[node].empty);
	}
	bma__lock_drop(&bma__drain_lock);
	bma__engine_shrink(e, 0);
	bma__engine_end(e);
	bma__lock_take(&e->lock);
	away = e->objs_carved - e->objs_home;
	bma__lock_drop(&e->lock);
	return away;
}

uint64_t bma__reclaim_engine(struct bma__engine *e)
{
	uint64_t away;

	atomic_store_explicit(&e->dying, true, memory_order_seq_cst);
	away = bma__reclaim_drain(e, UINT64_MAX);
	/* What waits for a grace period comes back to the depot, and from there home. */
	while (atomic_load_explicit(&e->limbo, memory_order_acquire) || bma__park_count(e)) {
		if (!bma__defer_flush())
			break;
		away = bma__reclaim_drain(e, UINT64_MAX);
	}
	if (away)
		atomic_store_explicit(&e->dying, false, memory_order_seq_cst);
	return away;
}

void bma__reclaim_all(void)
{
	struct bma__engine *e = NULL;

	while ((e = bma__engine_next(e)))
		bma__reclaim_drain(e, TRIM_PATIENCE);
	bma__mag_trim();
}
