/* SPDX-License-Identifier: MIT */
/*
 * Calls that take no lock have to do with the group that they are about, not with another that stands at its place since. One cache is recharged again and again, and each payer destroyed;
 * groups that never pay for it stand at their places then. Others meanwhile ask who pays, borrow by handles of shared groups that may be gone, and reset peaks.
 */
#include <bma/bma.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "test.h"

#define THREADS 4
#define LARGE 300000

static _Atomic bool stop;
static _Atomic long groups;
/* A shared one, and one that paid; perhaps gone. */
static _Atomic(struct bma_group *) old, paid;
static struct bma_cache *other; /* with an object of LARGE bytes */

static struct bma_group *group_of_name(const char *name)
{
	struct bma_group_attr a = {.attr_size = sizeof a, .name = name};
	struct bma_group *g = bma_group_create(NULL, &a);

	CHECK(g, "errno %d", errno);
	return g;
}

static void *asks(void *arg)
{
	const struct bma_group *root = bma_group_root(), *last = root;
	struct bma_group_stats s;

	test_pin(0);
	while (!stop) {
		struct bma_group *g = bma_cache_group(arg);

		/* As often as can be. */
		if (g == last)
			continue;
		last = g;
		if (g != root && !bma_group_stat(g, &s, sizeof s))
			CHECK(!strcmp(s.name, "payer"), "\"%s\" never paid", s.name);
	}
	return NULL;
}

/* By a handle of a shared group that may be gone: nothing that this thread does is ordered by a lock. */
static void *borrows(void *arg)
{
	test_pin(1);
	while (!stop) {
		int rc = bma_shared_borrow_object(atomic_load(&old), bma_group_root(), arg);

		CHECK(rc == -EINVAL || rc == -ESTALE, "borrow %d", rc);
	}
	return NULL;
}

static void *resets(void *arg)
{
	test_pin(0);
	while (!stop) {
		int rc = bma_group_reset_peak(atomic_load(&paid));

		CHECK(!rc || rc == -ESTALE, "peak %d", rc);
	}
	return arg;
}

static void stand_in_its_place(void)
{
	struct bma_group *g = group_of_name("stranger"), *s;
	struct bma_group_stats stats;

	CHECK(!bma_cache_recharge(other, g), "recharge");
	CHECK(!bma_cache_recharge(other, bma_group_root()), "recharge");
	usleep(100);
	CHECK(!bma_group_stat(g, &stats, sizeof stats), "stat");
	CHECK(stats.peak >= LARGE, "a peak of %llu", (unsigned long long)stats.peak);
	CHECK(!bma_group_destroy(g), "destroy");
	s = bma_shared_create(NULL);
	CHECK(s, "errno %d", errno);
	atomic_store(&old, s);
	CHECK(!bma_shared_destroy(s), "destroy");
}

static void *pays(void *arg)
{
	test_pin(0);
	while (!stop) {
		struct bma_group *g = group_of_name("payer");

		atomic_store(&paid, g);
		CHECK(!bma_cache_recharge(arg, g), "recharge");
		/* Who asks on this CPU is interrupted when its time is over, perhaps with what it saw of this one in hand. */
		sched_yield();
		CHECK(!bma_cache_recharge(arg, bma_group_root()), "recharge");
		CHECK(!bma_group_destroy(g), "destroy");
		stand_in_its_place();
		groups++;
	}
	return NULL;
}

static void change_payers(double end)
{
	void *(*const mains[THREADS])(void *) = {borrows, pays, asks, resets};
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 100};
	pthread_t t[THREADS];
	struct bma_cache *c;
	void *obj, *large;

	a.group = bma_group_root();
	c = bma_cache_create(&a);
	obj = c ? bma_cache_alloc_flags(c, BMA_SLEEP) : NULL;
	CHECK(obj, "errno %d", errno);
	a.size = LARGE;
	other = bma_cache_create(&a);
	large = other ? bma_cache_alloc_flags(other, BMA_SLEEP) : NULL;
	CHECK(large, "errno %d", errno);
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, mains[i], i ? (void *)c : obj), "thread");
	while (test_seconds() < end)
		usleep(10000);
	stop = true;
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	bma_cache_free(c, obj);
	bma_cache_free(other, large);
	CHECK(!bma_cache_destroy(c) && !bma_cache_destroy(other), "destroy");
}

int main(int argc, char **argv)
{
	double seconds = test_args(argc, argv, 1);

	change_payers(test_seconds() + seconds);
	printf("groups %ld\n", (long)groups);
	CHECK(groups, "nothing was tried");
	return 0;
}
