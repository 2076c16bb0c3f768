/* SPDX-License-Identifier: MIT */
/* Caches of every flavour of liburcu side by side. */
#include "reader.h"

#include <errno.h>
#include <stdio.h>

extern const struct rcu_flavor_struct urcu_mb_flavor, urcu_qsbr_flavor, urcu_bp_flavor;

#define QSBR urcu_qsbr_flavor
#define FLAVORS 4

static const struct {
	const struct rcu_flavor_struct *rcu;
	const char *name;
} flavors[FLAVORS] = {
	{&urcu_memb_flavor, "memb"},
	{&urcu_mb_flavor, "mb"},
	{&urcu_qsbr_flavor, "qsbr"},
	{&urcu_bp_flavor, "bp"},
};

static struct bma_cache *create_of(const struct rcu_flavor_struct *rcu)
{
	struct bma_cache_attr a = attr(64);

	a.rcu = rcu;
	return make(&a);
}

Test(flavor, names_and_numbers_in_order_of_use)
{
	struct bma_rcu_stats s;

	for (unsigned int i = 0; i < FLAVORS; i++) {
		struct bma_cache *c = create_of(flavors[i].rcu);

		create_of(flavors[i].rcu);
		cr_assert_str_eq(stats(c).rcu, flavors[i].name);
		cr_assert_eq(bma_rcu_stats_get(i, &s, sizeof s), 0);
		cr_assert_str_eq(s.name, flavors[i].name);
		cr_assert_eq(bma_rcu_stats_get(i + 1, &s, sizeof s), -ENOENT, "one each");
	}
}

Test(flavor, none_means_memb)
{
	struct bma_rcu_stats s;

	create_of(&urcu_memb_flavor);
	cr_assert_str_eq(stats(create_of(NULL)).rcu, "memb");
	cr_assert_eq(bma_rcu_stats_get(1, &s, sizeof s), -ENOENT);
}

/* A reader of one flavour, and what was freed to caches of all. */
static void read_one_of(unsigned int own)
{
	enum { N = 300 };
	struct bma_cache *c[FLAVORS];
	void *p[N];
	struct reader r;

	for (unsigned int i = 0; i < FLAVORS; i++)
		c[i] = create_of(flavors[i].rcu);
	reader_enter(&r, flavors[own].rcu);
	for (unsigned int i = 0; i < FLAVORS; i++) {
		take_tagged(c[i], p, N);
		free_rcu_all(c[i], p, N);
	}
	for (unsigned int i = 0; i < FLAVORS; i++) {
		if (i == own)
			continue;
		cr_assert_eq(bma_rcu_barrier(c[i]), 0);
		cr_assert_eq(stats(c[i]).limbo, 0);
		cr_assert_eq(rcu_stats(c[i]).running_ns, 0, "stuck: %s", flavors[i].name);
		cr_assert_eq(tagged_among(c[i], 20000), N);
	}
	AWAIT(rcu_stats(c[own]).running_ns);
	cr_assert_eq(stats(c[own]).limbo, N, "%s", flavors[own].name);
	cr_assert_eq(tagged_among(c[own], 20000), 0, "%s", flavors[own].name);
	reader_leave(&r);
	AWAIT(!stats(c[own]).limbo);
	cr_assert_eq(tagged_among(c[own], 40000), N, "%s", flavors[own].name);
	for (unsigned int i = 0; i < FLAVORS; i++)
		cr_assert_eq(bma_cache_destroy(c[i]), 0);
}

Test(flavor, readers_hold_back_objects_of_their_own, .timeout = 30)
{
	for (unsigned int own = 0; own < FLAVORS; own++)
		read_one_of(own);
}

/* Those with sections refuse in one of theirs, and in no other. */
Test(flavor, sections_are_told_apart, .timeout = 30)
{
	setenv("BMA_CONF", "worker:off", 1);
	for (unsigned int own = 0; own < FLAVORS; own++) {
		const struct rcu_flavor_struct *rcu = flavors[own].rcu;

		rcu->register_thread();
		for (unsigned int i = 0; i < FLAVORS; i++) {
			int expected = i == own && rcu != &QSBR ? -EDEADLK : 0;
			struct bma_cache *c = create_of(flavors[i].rcu);
			void *p = bma_cache_alloc(c);

			bma_cache_free_rcu(c, bma_cache_alloc(c));
			rcu->read_lock();
			cr_assert_eq(bma_rcu_barrier(c), expected, "%s", flavors[i].name);
			cr_assert_eq(bma_cache_free_rcu_flags(c, p, BMA_SLEEP), expected);
			cr_assert_eq(stats(c).live, expected != 0);
			if (expected)
				bma_cache_free(c, p);
			cr_assert_eq(bma_cache_destroy(c), expected);
			rcu->read_unlock();
			cr_assert_eq(expected ? bma_cache_destroy(c) : 0, 0);
		}
		rcu->unregister_thread();
	}
}

/* A registered thread that is online would be waited for by itself. */
static void every_call_that_waits(bool online)
{
	struct bma_cache *c = create_of(&QSBR);
	void *p[2];

	cr_assert_eq(QSBR.read_ongoing() != 0, online);
	for (int round = 0; round < 5; round++) {
		bma_cache_free_rcu(c, bma_cache_alloc(c));
		cr_assert_eq(bma_rcu_barrier(c), 0);
		cr_assert_eq(stats(c).limbo, 0);
		cr_assert_eq(QSBR.read_ongoing() != 0, online, "after a barrier");
	}
	take_tagged(c, p, 2);
	cr_assert_eq(bma_cache_free_rcu_flags(c, p[0], BMA_SLEEP), 0);
	cr_assert_eq(QSBR.read_ongoing() != 0, online, "after a free that may wait");
	cr_assert_geq(bma_poll(BMA_POLL_GP), 0);
	cr_assert_eq(stats(c).limbo, 0);
	cr_assert_eq(QSBR.read_ongoing() != 0, online, "after a poll");
	bma_cache_free_rcu(c, p[1]);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(stats(c).limbo, 0);
	cr_assert_eq(QSBR.read_ongoing() != 0, online, "after a trim");
	bma_cache_free_rcu(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	cr_assert_eq(bma_shutdown(), 0);
	cr_assert_eq(QSBR.read_ongoing() != 0, online, "after a shutdown");
	bma_cache_free_rcu(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_eq(QSBR.read_ongoing() != 0, online, "after a destroy");
}

Test(flavor, threads_of_qsbr_may_wait_in_any_state, .timeout = 30)
{
	every_call_that_waits(false);
	QSBR.register_thread();
	every_call_that_waits(true);
	QSBR.thread_offline();
	every_call_that_waits(false);
	QSBR.thread_online();
	every_call_that_waits(true);
	QSBR.unregister_thread();
	every_call_that_waits(false);
}

static struct bma_cache *shared;
static _Atomic int stop;

static void *free_all_the_time(void *unused)
{
	while (!stop) {
		void *p = bma_cache_alloc_flags(shared, BMA_SLEEP);

		bma_cache_free_rcu_flags(shared, p, BMA_SLEEP);
	}
	return unused;
}

/* While others keep grace periods running. */
Test(flavor, an_online_thread_of_qsbr_may_shut_down, .timeout = 30)
{
	pthread_t t;

	setenv("BMA_CONF", "gp_flush_ms:1", 1);
	shared = create_of(&QSBR);
	QSBR.register_thread();
	pthread_create(&t, NULL, free_all_the_time, NULL);
	for (int i = 0; i < 200; i++) {
		cr_assert_eq(bma_shutdown(), 0);
		bma_rcu_barrier(shared); /* starts the threads again */
	}
	stop = 1;
	QSBR.unregister_thread();
	pthread_join(t, NULL);
}

Test(flavor, at_most_eight)
{
	static struct rcu_flavor_struct copies[9];
	struct bma_cache_attr a = attr(64);
	struct bma_cache *c[8];
	char name[32];

	for (int i = 0; i < 8; i++) {
		copies[i] = urcu_mb_flavor;
		c[i] = create_of(&copies[i]);
		snprintf(name, sizeof name, "%.15s", stats(c[i]).rcu);
		cr_assert_eq(strtoull(name, NULL, 0), (uintptr_t)&copies[i], "%s", name);
	}
	copies[8] = urcu_mb_flavor;
	a.rcu = &copies[8];
	errno = 0;
	cr_assert_null(bma_cache_create(&a));
	cr_assert_eq(errno, ENOSPC);
	for (int i = 0; i < 8; i++) {
		bma_cache_free_rcu(c[i], bma_cache_alloc(c[i]));
		cr_assert_eq(bma_rcu_barrier(c[i]), 0, "those that there are work");
		cr_assert_eq(bma_cache_destroy(c[i]), 0);
	}
}
