/* SPDX-License-Identifier: MIT */
/* Tickets, see ticket.h. Ordering: MO-7 (docs/memory-ordering.md). */
#include "cache.h"

#define NAP_FIRST 20000u /* nanoseconds */
#define NAP_LAST 1000000u

/* A counter is count << GENERATION_BITS | generation. */
#define GENERATION_BITS 4
#define GENERATION_MASK ((1u << GENERATION_BITS) - 1)
#define ONE (1u << GENERATION_BITS)

/* [fork] Of the process: 0 until it is a child, then never again, for that is what counters have that nobody has counted in. */
static uint32_t generation;

struct bma__ticket bma__ticket_open(struct bma__engine *e)
{
	struct bma__ticket t;
	uint32_t plane = bma__plane_home();

	bma__plane_use(e, plane);
	t.slot = bma__slot_at(e, plane);
	t.phase = atomic_load_explicit(&e->phase, memory_order_relaxed) & 1;
	t.generation =
		atomic_fetch_add_explicit(&t.slot->opened[t.phase], ONE, memory_order_seq_cst) &
		GENERATION_MASK;
	return t;
}

void bma__ticket_close(const struct bma__ticket *ticket)
{
	_Atomic uint32_t *closed = &ticket->slot->closed[ticket->phase];
	uint32_t v = atomic_load_explicit(closed, memory_order_relaxed);

	while ((v & GENERATION_MASK) == ticket->generation &&
	       !atomic_compare_exchange_weak_explicit(closed, &v, v + ONE, memory_order_release,
						      memory_order_relaxed))
		;
}

static bool none_open(struct bma__engine *e, uint32_t phase)
{
	uint32_t opened = 0, closed = 0, plane;

	bma__plane_for_each (e, plane)
		closed += atomic_load_explicit(&bma__slot_at(e, plane)->closed[phase],
					       memory_order_acquire) &
			  ~GENERATION_MASK;
	atomic_thread_fence(memory_order_seq_cst);
	bma__plane_for_each (e, plane)
		opened += atomic_load_explicit(&bma__slot_at(e, plane)->opened[phase],
					       memory_order_relaxed) &
			  ~GENERATION_MASK;
	return opened == closed;
}

static bool wait_phase(struct bma__engine *e, uint32_t phase, uint64_t deadline)
{
	uint64_t nap = NAP_FIRST;

	while (!none_open(e, phase)) {
		if (bma__os_now() >= deadline)
			return false;
		bma__os_sleep(nap);
		nap = nap < NAP_LAST / 2 ? nap * 2 : NAP_LAST;
	}
	return true;
}

bool bma__ticket_wait(struct bma__engine *e, uint64_t ns)
{
	uint64_t deadline = ns == UINT64_MAX ? UINT64_MAX : bma__os_now() + ns;
	uint32_t phase = atomic_load_explicit(&e->phase, memory_order_relaxed) & 1;

	if (!wait_phase(e, phase ^ 1, deadline))
		return false;
	atomic_store_explicit(&e->phase, phase ^ 1, memory_order_seq_cst);
	return wait_phase(e, phase, deadline);
}

void bma__ticket_new_generation(void)
{
	generation = generation % GENERATION_MASK + 1;
}

uint32_t bma__ticket_generation(void)
{
	return generation;
}

void bma__ticket_forget(struct bma__slot *slot)
{
	for (int phase = 0; phase < 2; phase++) {
		atomic_store_explicit(&slot->opened[phase], generation, memory_order_relaxed);
		atomic_store_explicit(&slot->closed[phase], generation, memory_order_relaxed);
	}
}
