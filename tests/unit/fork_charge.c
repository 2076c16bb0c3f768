/* SPDX-License-Identifier: MIT */
/*
 * A fork in the middle of a charge or an uncharge, by the thread that makes it, as in a handler, or while another makes it. The tree asks for work in there: that is
 * where these fork, or wait.
 */
#include "cache/cache.h"

#include "group.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define SIZE 4096
#define HELD 14

static struct bma_group *top, *leaf;
static struct bma_cache *cache;
static void *held[HELD];
static volatile int nheld;
static volatile bool is_child;
static volatile pid_t pid;
static _Atomic int inside, let_go;

/* A stock has no room for an object: each call is in the gate. */
static void setup(void)
{
	struct bma_cache_attr c = {.attr_size = sizeof c, .size = SIZE, .flags = BMA_CACHE_MERGE};

	setenv("BMA_CONF", "worker:off", 1);
	test_pin(0);
	top = make(NULL, "top");
	leaf = c.group = make_limited(top, "leaf", (uint64_t)HELD * SIZE);
	cache = bma_cache_create(&c);
	cr_assert_not_null(cache);
	for (; nheld < HELD; nheld++) {
		held[nheld] = bma_cache_alloc_flags(cache, BMA_SLEEP);
		cr_assert_not_null(held[nheld]);
	}
	while (nheld > HELD / 2)
		bma_cache_free(cache, held[--nheld]);
	cr_assert_eq(stat_of(leaf).stocked, 0);
}

TestSuite(fork_charge, .init = setup);

/* What is wrong in the child, where @live objects are left; 0: nothing. */
static int child(uint64_t live)
{
	struct bma_group_stats s, t;

	alarm(20);
	if (bma_group_stat(leaf, &s, sizeof s) || bma_group_stat(top, &t, sizeof t))
		return 2;
	if (t.own || t.current != s.current)
		return 3;
	if (s.own - s.stocked != live * SIZE || s.objects != live)
		return 4;
	if (s.current != atomic_load(&cache->record->charged))
		return 5;
	if (atomic_load(&cache->record->gate) & BMA__RECORD_INSIDE || bma__stock_inside())
		return 6;
	if (bma_trim() || bma_group_stat(leaf, &s, sizeof s) || s.stocked)
		return 7;
	/* A gate that somebody seems to be in is waited for, in vain. */
	if (bma_group_destroy(leaf))
		return 8;
	if (bma_cache_recharge(cache, bma_group_root()))
		return 9;
	while (nheld)
		bma_cache_free(cache, held[--nheld]);
	if (bma_trim() || bma_group_stat(top, &t, sizeof t) || t.current)
		return 10;
	return 0;
}

static void check_child(int live)
{
	int status = -1;

	if (is_child)
		_exit(child((uint64_t)live));
	cr_assert_gt(pid, 0, "nobody forked");
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "status %x", (unsigned int)status);
}

static void forks(void)
{
	if (pid)
		return;
	cr_assert(bma__stock_inside(), "this is no place inside a charge");
	pid = fork();
	is_child = !pid;
}

static void take(void)
{
	void *obj = bma_cache_alloc(cache);

	if (obj)
		held[nheld++] = obj;
}

/* The tree has it, the record has not, yet. */
Test(fork_charge, above_high)
{
	cr_assert_eq(bma_group_set(leaf, BMA_GROUP_HIGH, (uint64_t)nheld * SIZE), 0);
	bma__group_wake = forks;
	take();
	cr_assert(is_child || nheld == HELD / 2 + 1);
	check_child(nheld);
}

Test(fork_charge, above_high_further_up)
{
	cr_assert_eq(bma_group_set(top, BMA_GROUP_HIGH, (uint64_t)nheld * SIZE), 0);
	bma__group_wake = forks;
	take();
	check_child(nheld);
}

Test(fork_charge, refused)
{
	uint32_t work;

	cr_assert_eq(bma_group_set(top, BMA_GROUP_MAX, (uint64_t)nheld * SIZE), 0);
	while (bma__group_take_work(&work))
		;
	bma__group_wake = forks;
	take();
	cr_assert(is_child || nheld == HELD / 2);
	check_child(nheld);
}

/* A threshold is crossed by what is carried up. */
Test(fork_charge, uncharged)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	cr_assert_eq(bma_group_notify(leaf, (uint64_t)nheld * SIZE - SIZE / 2, fd), 0);
	bma_poll(0);
	bma__group_wake = forks;
	while (!pid && !is_child && nheld)
		bma_cache_free(cache, held[--nheld]);
	check_child(nheld);
	close(fd);
}

static void waits(void)
{
	if (atomic_fetch_add(&inside, 1))
		return;
	while (!atomic_load(&let_go))
		usleep(1000);
}

static void *charges(void *unused)
{
	take();
	return unused;
}

/* Of another thread's charge nothing is left in the child. */
Test(fork_charge, of_another_thread)
{
	int had = nheld;
	pthread_t t;

	cr_assert_eq(bma_group_set(leaf, BMA_GROUP_HIGH, (uint64_t)nheld * SIZE), 0);
	bma__group_wake = waits;
	cr_assert_eq(pthread_create(&t, NULL, charges, NULL), 0);
	while (!atomic_load(&inside))
		usleep(1000);
	pid = fork();
	is_child = !pid;
	check_child(had);
	atomic_store(&let_go, 1);
	pthread_join(t, NULL);
	/* It has a slot of its own, unless the two ran on one CPU by turns: there may be no object for it. */
	cr_assert(nheld == had + 1 || nheld == had);
	cr_assert_eq(child((uint64_t)nheld), 0, "the parent's own charge goes on");
}
