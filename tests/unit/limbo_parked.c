/* SPDX-License-Identifier: MIT */
/* Deferred frees that find no magazine. */
#include "limbo.h"

#include <bma/worker.h>

/* All at once, as a burst of frees would find it. */
static void park_all(struct bma__engine *e, void **objs, unsigned int n)
{
	static uintptr_t hidden[1 << 16];
	uint32_t mags = 0;

	while ((hidden[mags] = bma__depot_get_empty(e)))
		mags++;
	free_all(e, objs, n);
	cr_assert_eq(bma__park_count(e), n);
	assert_places(e, 0, 0);
	while (mags)
		bma__mag_release(e->class, hidden[--mags]);
}

Test(limbo, without_magazines_objects_are_parked)
{
	enum { N = 400 };
	struct bma__engine *e = engine(64, 126);
	uint64_t periods;
	static void *p[N];

	take(e, p, N);
	park_all(e, p, N);
	periods = e->flavor->periods;
	bma__park_collect(e);
	cr_assert_eq(bma__park_count(e), 0);
	assert_places(e, 0, N);
	cr_assert_eq(bma__defer_wait(e->flavor), 0);
	cr_assert_gt(e->flavor->periods, periods, "they wait for a grace period");
	for (int i = 0; i < N; i++)
		cr_assert_not_null(p[i] = bma__slot_alloc(e));
	park_all(e, p, N);
	cr_assert_eq(bma__reclaim_barrier(e), 0);
	cr_assert_eq(bma__park_count(e), 0);
	assert_places(e, 0, 0);
	for (int i = 0; i < N; i++)
		cr_assert_not_null(p[i] = bma__slot_alloc(e));
}

/* They hold no memory back. */
Test(limbo, a_trim_collects_what_is_parked)
{
	struct bma__engine *e;
	void *p[400];

	setenv("BMA_CONF", "worker:off", 1);
	cr_assert_eq(bma_trim(), 0); /* first use */
	e = engine(64, 126);
	take(e, p, 400);
	park_all(e, p, 400);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(bma__park_count(e), 0);
	cr_assert_eq(e->nslabs, 0);
}
