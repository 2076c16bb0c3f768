/* SPDX-License-Identifier: MIT */
/* Two flavours, both of them tables of ours with memb's functions: which error is told, and whose work is done. */
#include "fault.h"

#include "api/api.h"

#include <bma/bma.h>

#include <errno.h>
#include <stdlib.h>
#include <urcu/flavor.h>
#include <urcu/urcu-memb.h>

extern const struct rcu_flavor_struct urcu_memb_flavor;
static struct rcu_flavor_struct tables[2];
static struct bma_cache *caches[2];

static struct bma_cache_stats stats(unsigned int i)
{
	struct bma_cache_stats s;

	cr_assert_eq(bma_cache_stats_get(caches[i], &s, sizeof s), 0);
	return s;
}

static void start(const char *conf)
{
	setenv("BMA_CONF", conf, 1);
	for (unsigned int i = 0; i < 2; i++) {
		struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64, .rcu = &tables[i]};

		tables[i] = urcu_memb_flavor;
		caches[i] = bma_cache_create(&a);
		cr_assert_not_null(caches[i]);
	}
}

static void defer_one_of_each(void)
{
	for (unsigned int i = 0; i < 2; i++)
		bma_cache_free_rcu(caches[i], bma_cache_alloc(caches[i]));
}

static int not_reading(void)
{
	return 0;
}

/* The reader of the first is not one of the second, whose objects are let go. */
Test(flavor_two, a_reader_of_one_does_not_keep_the_other)
{
	start("worker:off");
	tables[1].read_ongoing = not_reading;
	tables[1].update_synchronize_rcu = abort;
	defer_one_of_each();
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	tables[1].update_synchronize_rcu = (void (*)(void))not_reading;
	cr_assert_eq(bma_trim(), -EDEADLK, "the first's error is told");
	cr_assert_eq(stats(0).limbo, 1);
	cr_assert_eq(stats(1).limbo, 0);
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(stats(0).limbo, 0);
}

static int asked;

static int no_thread(void *(*main)(void *), void *arg, void *handle)
{
	(void)main, (void)arg, (void)handle;
	return -(++asked == 1 ? EAGAIN : EPERM);
}

Test(flavor_two, the_first_thread_that_is_refused_is_told_of)
{
	bma__os.thread_create = no_thread;
	start("worker:on");
	asked = 0;
	cr_assert_eq(bma__flavor_start_all(), -EAGAIN);
	cr_assert_eq(asked, 2, "the other was tried");
	defer_one_of_each();
	cr_assert_eq(bma_rcu_barrier(caches[1]), 0, "and works without");
}

/* Numbers of caches are used again: a bit that stands for one that is gone names a cache of the other flavour. */
Test(flavor_two, a_bit_of_the_others_is_passed_by)
{
	struct bma__engine *e;

	start("worker:off");
	e = caches[1]->engine;
	defer_one_of_each();
	cr_assert_eq(bma__limbo_flush_fully(e), 0);
	bma__need_set(&caches[0]->engine->flavor->filling, e->id);
	bma__need_set(&caches[0]->engine->flavor->sealed, e->id);
	bma__need_set(&caches[0]->engine->flavor->batch, e->id);
	cr_assert_eq(bma_rcu_barrier(caches[0]), 0);
	cr_assert_eq(stats(0).limbo, 0);
	cr_assert_eq(stats(1).limbo, 1, "was not waited for");
	cr_assert_eq(bma_rcu_barrier(caches[1]), 0);
	cr_assert_eq(stats(1).limbo, 0);
}

static _Atomic int freed;
static struct bma_cache *full;

/* Frees more than may wait, from a destructor, for which others wait. */
static void destruct(void *obj, void *ctx)
{
	void *other = bma_cache_alloc_flags(caches[0], BMA_SLEEP);

	(void)obj, (void)ctx;
	if (!bma_cache_free_rcu_flags(full, bma_cache_alloc_flags(full, BMA_SLEEP), BMA_SLEEP))
		freed++;
	bma_cache_free(caches[0], other);
}

Test(flavor_two, a_destructor_is_not_held_up_by_the_limit, .timeout = 30)
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .size = 64,
				   .limbo_max = 1,
				   .dtor = destruct,
				   .flags = BMA_CACHE_DTOR_RECYCLE};
	void *objs[50];

	start("gp_flush_ms:1");
	full = bma_cache_create(&a);
	cr_assert_eq(bma_cache_alloc_bulk(full, objs, 50, BMA_SLEEP), 50);
	bma_cache_free_rcu(full, objs[0]);
	while (freed < 5)
		bma__os_sleep(1000000);
	freed = 1000;
	bma_cache_free_bulk(full, objs + 1, 49);
}
