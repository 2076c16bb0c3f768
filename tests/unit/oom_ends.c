/* SPDX-License-Identifier: MIT */
/* Who ends a function that another call, or the end of its group, has ended already waits until it does not run. */
#include "oom_waits.h"

#include <bma/shared.h>

static _Atomic int ended;

static void *lets_go(void *unused)
{
	(void)unused;
	bma__os_sleep(50000000);
	cr_assert_eq(atomic_load(&ended), 0, "it runs still");
	atomic_store(&go, 1);
	return NULL;
}

static void *detach_top(void *unused)
{
	(void)unused;
	cr_assert_eq(bma_oom_policy_detach(top), 0);
	return NULL;
}

static void *end_a(void *unused)
{
	(void)unused;
	cr_assert_eq(bma_oom_set_release(a->group, NULL, NULL, 0), 0);
	return NULL;
}

/* Another call has ended it, and waits. */
static void end_twice(void *(*end)(void *), bool (*is_ended)(void), int (*again)(void), int says)
{
	pthread_t taker, ender, letter;

	pthread_create(&taker, NULL, take_one, b);
	wait_entered(1);
	pthread_create(&ender, NULL, end, NULL);
	while (!is_ended())
		bma__os_sleep(100000);
	pthread_create(&letter, NULL, lets_go, NULL);
	cr_assert_eq(again(), says);
	atomic_store(&ended, 1);
	cr_assert(atomic_load(&go), "it ran when the call returned");
	pthread_join(letter, NULL);
	pthread_join(ender, NULL);
	pthread_join(taker, NULL);
}

static bool no_policy(void)
{
	struct bma_oom_stats s;

	cr_assert_eq(bma_oom_stat(top, &s, sizeof s), 0);
	return !*s.policy;
}

static int detach_again(void)
{
	return bma_oom_policy_detach(top);
}

Test(oom_ends, a_policy_is_detached_twice)
{
	crowd();
	cr_assert_eq(attach(top, "lingers", lingers, NULL), 0);
	end_twice(detach_top, no_policy, detach_again, -ENOENT);
}

static bool no_release(void)
{
	const struct bma__group *g;
	bool none;

	bma__tree_lock();
	g = bma__group_of(a->group);
	none = !g->oom->release;
	bma__tree_unlock();
	return none;
}

static int end_again(void)
{
	return bma_oom_set_release(a->group, NULL, NULL, 0);
}

Test(oom_ends, a_release_is_ended_twice)
{
	crowd();
	a->instead = waits;
	quick = true;
	end_twice(end_a, no_release, end_again, 0);
}

/* A tenant whose group is a shared one, at its limit. */
static struct tenant *shared_tenant(void)
{
	struct bma_shared_attr sa = {.attr_size = sizeof sa, .max = 8 * KIB};
	struct tenant *t = calloc(1, sizeof *t);

	cr_assert_not_null(t);
	pthread_mutex_init(&t->mutex, NULL);
	t->group = bma_shared_create(&sa);
	cr_assert_not_null(t->group);
	t->cache = cache_of(t->group, KIB);
	fill(t, 8);
	return t;
}

/* Nobody pays through it any more, so it goes at once, with a policy that is asked. */
static void let_a_shared_group_go(int (*last)(struct bma_group *shared))
{
	struct tenant *t = shared_tenant();
	pthread_t taker, letter;

	cr_assert_eq(attach(t->group, "lingers", lingers, NULL), 0);
	pthread_create(&taker, NULL, take_one, t);
	wait_entered(1);
	cr_assert_eq(bma_cache_recharge(t->cache, bma_group_root()), 0);
	pthread_create(&letter, NULL, lets_go, NULL);
	cr_assert_eq(last(t->group), 0);
	atomic_store(&ended, 1);
	cr_assert(atomic_load(&go), "it ran when the call returned");
	cr_assert_null(bma__group_of(t->group));
	pthread_join(letter, NULL);
	pthread_join(taker, NULL);
}

Test(oom_ends, a_shared_group_is_let_go_and_gone)
{
	let_a_shared_group_go(bma_shared_destroy);
}

/* It is gone when its last payer leaves, whoever sees to that. */
Test(oom_ends, a_shared_group_goes_later)
{
	struct tenant *t = shared_tenant();
	pthread_t taker, letter;

	cr_assert_eq(attach(t->group, "lingers", lingers, NULL), 0);
	pthread_create(&taker, NULL, take_one, t);
	wait_entered(1);
	cr_assert_eq(bma_shared_destroy(t->group), 0);
	cr_assert_eq(bma_cache_recharge(t->cache, bma_group_root()), 0);
	cr_assert_null(bma__group_of(t->group));
	pthread_create(&letter, NULL, lets_go, NULL);
	cr_assert_eq(bma_oom_policy_detach(t->group), -ESTALE);
	atomic_store(&ended, 1);
	cr_assert(atomic_load(&go), "it ran when the call returned");
	pthread_join(letter, NULL);
	pthread_join(taker, NULL);
}

/* As long as something is charged to it it can run out, and its functions can be ended. */
Test(oom_ends, functions_of_a_shared_group_that_was_let_go)
{
	struct tenant *t = shared_tenant();

	cr_assert_eq(attach(t->group, "largest", bma_oom_largest, NULL), 0);
	cr_assert_eq(bma_oom_set_release(t->group, tenant_release, t, 0), 0);
	cr_assert_eq(bma_shared_destroy(t->group), 0);
	cr_assert_eq(bma_oom_policy_detach(t->group), 0);
	cr_assert_eq(bma_oom_policy_detach(t->group), -ENOENT);
	cr_assert_eq(bma_oom_set_release(t->group, tenant_release, t, 0), -ESTALE);
	cr_assert_eq(bma_oom_set_release(t->group, NULL, NULL, 0), 0);
	cr_assert_eq(bma_oom_set_release(t->group, NULL, NULL, 0), -ESTALE);
	cr_assert_null(take(t));
	cr_assert_eq(t->released, 0);
}
