/* SPDX-License-Identifier: MIT */
/* What the tests of limbo share: engines without the worker, and where their objects are. */
#ifndef BMA_UNIT_LIMBO_H
#define BMA_UNIT_LIMBO_H

#include "fault.h"

#include <sched.h>

#define CAPACITY 6

static inline void free_all(struct bma__engine *e, void **objs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		bma__limbo_free(e, objs[i], true);
}

static inline void take(struct bma__engine *e, void **objs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		objs[i] = bma__slot_alloc(e);
		if (!objs[i])
			objs[i] = bma__slot_alloc_from(e, bma__refill_magazine(e, 0));
	}
}

/* Objects that are not at home when everything else has been brought there; one that is twice aborts. */
static inline uint64_t live(struct bma__engine *e)
{
	uint64_t n;

	cr_assert_eq(bma__reclaim_engine(e, &n), 0);
	return n;
}

static inline uint32_t words(struct bma__engine *e)
{
	uint32_t n = 0, plane;

	bma__plane_for_each (e, plane)
		n += atomic_load(&bma__slot_at(e, plane)->limbo) != 0;
	return n;
}

/* Some of them in slots, so many sealed. */
static inline void assert_places(struct bma__engine *e, uint64_t in_slots, uint64_t sealed)
{
	cr_assert_eq(bma__limbo_count(e), in_slots);
	cr_assert_eq(bma__count_read(&e->limbo), sealed);
	cr_assert_eq(bma__count_read(&e->flavor->limbo_bytes), sealed * e->geo.stride);
	cr_assert_eq(bma__defer_pending(e->flavor), sealed != 0);
	cr_assert_eq(bma__count_read(&e->limbo_slots), words(e));
	if (in_slots)
		cr_assert(bma__need_any(&e->flavor->filling), "nobody will look");
}

/* One CPU, so that there is one slot to fill. */
static inline struct bma__engine *engine_of_one_slot(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof one, &one);
	return engine(64, CAPACITY);
}

static inline struct bma__engine *engine_of_guests(void)
{
	struct bma__engine *e = engine(64, CAPACITY);

	bma__cpu.mode = BMA_MODE_GUEST;
	return e;
}

#endif /* BMA_UNIT_LIMBO_H */
