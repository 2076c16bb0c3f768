/* SPDX-License-Identifier: MIT */
/* Destructors, seen from inside: a cache that could not be made, and what a child of fork counts. */
#include "fault.h"

#include "api/api.h"

#include <errno.h>

static int constructed, destructed;

static void construct(void *obj, void *ctx)
{
	(void)ctx;
	constructed++;
	*(int *)obj = 42;
}

static void destruct(void *obj, void *ctx)
{
	(void)ctx;
	destructed++;
	cr_assert_eq(*(int *)obj, 42);
}

static void *no_memory(size_t bytes)
{
	(void)bytes;
	return NULL;
}

/* What it had carved until the system refused is destructed and given back all the same. */
Test(finish, a_create_that_fails_leaves_nothing, .timeout = 20)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 4096};
	struct bma_cache *first;
	struct bma_stats s;

	setenv("BMA_CONF", "worker:off", 1);
	first = bma_cache_create(&a);
	cr_assert_not_null(first);
	a.ctor = construct;
	a.dtor = destruct;
	a.reserve = 100000;
	bma__os.map = no_memory;
	errno = 0;
	cr_assert_null(bma_cache_create(&a));
	cr_assert_eq(errno, ENOMEM);
	bma__os.map = bma__os_real.map;
	cr_assert_gt(constructed, 0, "else this tests nothing");
	cr_assert_eq(bma_cache_destroy(first), 0);
	cr_assert_eq(bma_trim(), 0);
	bma_stats_get(&s, sizeof s);
	cr_assert_eq(destructed, constructed, "%d of %d; %llu bytes of slabs are left", destructed,
		     constructed, (unsigned long long)s.slab_bytes);
	cr_assert_eq(s.caches, 0);
	cr_assert_eq(s.slab_bytes, 0);
	cr_assert_eq(s.purge_bytes, 0);
}

/* Magazines that wait for their destructors are in limbo, but no grace period is due for them. */
Test(finish, a_child_of_fork_counts_what_is_to_be_finished)
{
	struct bma__engine *e = engine(64, 6);
	uintptr_t word = bma__refill_magazine(e, 0);

	bma__stack_push(&e->finish, e->class, word);
	bma__defer_recount(e);
	cr_assert_eq(bma__count_read(&e->limbo), 6);
	cr_assert_eq(bma__count_read(&e->flavor->limbo_bytes), 6 * e->geo.stride);
	cr_assert_eq(bma__count_read(&e->flavor->mags), 0);
}
