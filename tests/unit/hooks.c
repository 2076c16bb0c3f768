/* SPDX-License-Identifier: MIT */
/* <bma/fuzz.h>: when slots may be chosen, what fails, and what is counted. */
#include <bma/bma.h>
#include <bma/fuzz.h>

#include "base/base.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <urcu/urcu-memb.h>

#include "threads.h"

static struct bma_cache *create(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64, .batch = 6, .reserve = 100};

	return bma_cache_create(&a);
}

static struct bma_cache_stats stats(struct bma_cache *cache)
{
	struct bma_cache_stats s;

	cr_assert_eq(bma_cache_stats_get(cache, &s, sizeof s), 0);
	return s;
}

Test(hooks, slots_are_chosen_before_the_first_cache)
{
	struct bma_stats s;
	struct bma_cache *cache;

	setenv("BMA_CONF", "", 1);
	cr_assert_eq(bma_fuzz_set_slot(3), 0);
	cache = create();
	cr_assert_eq(bma_fuzz_set_slot(4), 0, "another one, at any time");
	cr_assert_eq(bma_stats_get(&s, sizeof s), 0);
	cr_assert_eq(s.mode, BMA_MODE_GUEST);
	bma_cache_free(cache, bma_cache_alloc(cache));
	cr_assert_eq(stats(cache).slots_used, 1);
	cr_assert_eq(bma_fuzz_set_slot(5), 0);
	bma_cache_free(cache, bma_cache_alloc(cache));
	cr_assert_gt(stats(cache).slots_used, 1);
}

Test(hooks, not_while_a_cache_has_others)
{
	struct bma_stats s;

	setenv("BMA_CONF", "worker:off", 1);
	create();
	cr_assert_eq(bma_stats_get(&s, sizeof s), 0);
	cr_assert_eq(bma_fuzz_set_slot(0), s.mode == BMA_MODE_GUEST ? 0 : -EBUSY);
}

Test(hooks, threads_of_the_library_are_stopped)
{
	unsigned int before = threads_now();
	struct bma_cache *cache;
	struct bma_stats s;

	setenv("BMA_CONF", "worker:on", 1);
	cr_assert_eq(bma_cache_destroy(create()), 0);
	cr_assert_gt(threads_now(), before);
	cr_assert_eq(bma_fuzz_set_slot(0), 0);
	cache = create();
	cr_assert_not_null(cache);
	cr_assert_eq(threads_left(before), before);
	/* What a worker would refill stays as it is. */
	while (bma_cache_alloc(cache))
		;
	cr_assert_eq(bma_stats_get(&s, sizeof s), 0);
	cr_assert_eq(stats(cache).depot, 0);
	cr_assert_null(bma_cache_alloc(cache));
	cr_assert_gt(bma_poll(0), 0);
	cr_assert_not_null(bma_cache_alloc(cache));
}

Test(hooks, not_by_a_reader)
{
	setenv("BMA_CONF", "worker:on", 1);
	cr_assert_eq(bma_cache_destroy(create()), 0);
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	cr_assert_eq(bma_fuzz_set_slot(0), -EDEADLK);
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	cr_assert_eq(bma_fuzz_set_slot(0), 0);
}

static void *refuse_map(size_t bytes)
{
	(void)bytes;
	return NULL;
}

Test(hooks, not_without_memory)
{
	bma__os.map = refuse_map;
	cr_assert_eq(bma_fuzz_set_slot(0), -ENOMEM);
	cr_assert_eq(bma_fuzz_grace_period(), -ENOMEM);
	bma__os.map = bma__os_real.map;
	cr_assert_eq(bma_fuzz_set_slot(0), 0);
	cr_assert_eq(bma_fuzz_grace_period(), 0);
}

/* Each third: allocations and refills each for themselves, from the call on. */
Test(hooks, each_nth_fails_and_is_counted)
{
	struct bma_cache *cache;

	setenv("BMA_CONF", "", 1);
	cr_assert_eq(bma_fuzz_set_slot(0), 0);
	cache = create();
	bma_fuzz_fail_after(3);
	for (int i = 1; i <= 30; i++) {
		void *obj = bma_cache_alloc(cache);

		cr_assert_eq(!obj, i % 3 == 0, "the %dth", i);
		bma_cache_free(cache, obj);
	}
	cr_assert_eq(stats(cache).fail_depot_empty, 10);
	bma_fuzz_fail_after(1);
	cr_assert_null(bma_cache_alloc(cache));
	bma_fuzz_fail_after(0);
	cr_assert_not_null(bma_cache_alloc(cache));
}

Test(hooks, refills_fail_as_if_there_were_no_memory)
{
	struct bma_cache *cache;

	setenv("BMA_CONF", "", 1);
	cr_assert_eq(bma_fuzz_set_slot(0), 0);
	cache = create();
	bma_fuzz_fail_after(1);
	errno = 0;
	cr_assert_null(create());
	cr_assert_eq(errno, ENOMEM);
	while (bma_cache_alloc_flags(cache, BMA_SLEEP))
		;
	cr_assert_eq(errno, ENOMEM);
	cr_assert_eq(stats(cache).fail_system, 1);
	cr_assert_eq(bma_poll(0), 0);
	cr_assert_eq(stats(cache).fail_refill, 1);
	bma_fuzz_fail_after(0);
	cr_assert_not_null(bma_cache_alloc_flags(cache, BMA_SLEEP));
}

Test(hooks, a_grace_period_now)
{
	struct bma_cache *cache;
	void *obj;

	setenv("BMA_CONF", "", 1);
	cr_assert_eq(bma_fuzz_set_slot(0), 0);
	cache = create();
	obj = bma_cache_alloc(cache);
	bma_cache_free_rcu(cache, obj);
	cr_assert_eq(stats(cache).limbo, 1);
	cr_assert_eq(bma_fuzz_grace_period(), 0);
	cr_assert_eq(stats(cache).limbo, 0);
}
