/* SPDX-License-Identifier: MIT */
/* Deferred frees that find no magazine. */
#include "limbo.h"

#include <bma/worker.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* What another thread had counted and not marked is nobody's in the child, and a destroy does not wait for it. */
Test(limbo, a_child_forgets_who_was_parking, .timeout = 20)
{
	enum { N = 100 };
	struct bma__engine *e;
	static void *p[N];
	uint64_t live = 0;
	int status;
	pid_t pid;

	setenv("BMA_CONF", "worker:off", 1);
	cr_assert_eq(bma_trim(), 0); /* first use: fork is heeded */
	e = engine(64, 126);
	take(e, p, N);
	park_all(e, p, N - 1);
	bma__count_raise(&e->parks, 1);
	pid = fork();
	if (!pid) {
		alarm(10);
		if (bma__park_count(e) != N - 1 || bma__reclaim_engine(e, &live) || live != 1)
			_exit(1);
		_exit(bma__park_count(e) != 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert_eq(bma__park_count(e), N);
	cr_assert_eq(bma__slab_park(bma__chunk_slab(p[N - 1]), p[N - 1]), BMA__SLAB_OK);
	cr_assert_eq(bma__reclaim_engine(e, &live), 0);
	cr_assert_eq(live, 0);
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
