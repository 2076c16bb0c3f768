/* SPDX-License-Identifier: MIT */
/*
 * Groups in a child of fork: its figures are right and its own.
 *
 * By the thread itself, by one of several that allocate, and by a handler that interrupted a charge: there the child comes back to the charge, which must be
 * done with as if nothing had happened. A gate that somebody was in stays shut where that is not seen to: then a group cannot be destroyed.
 */
#include <bma/bma.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "../stress/storm.h"
#include "test.h"

#define SIZE 200
#define HELD 300
#define THREADS 3
#define FORKS 150
#define ROUNDS 15
/* A stock of a few objects, so that most calls are in the gate. */
#define LIMIT ((uint64_t)32 * 8 * SIZE * 4)

static struct bma_group *top, *leaf;
static struct bma_cache *cache;
static void *held[HELD];
static volatile int nheld;
static volatile bool is_child;
static volatile int forks;
static _Atomic bool stop;

static struct bma_group_stats stat_of(struct bma_group *g)
{
	struct bma_group_stats s;

	CHECK(!bma_group_stat(g, &s, sizeof s), "stat");
	return s;
}

static void make(void)
{
	struct bma_group_attr g = {.attr_size = sizeof g, .max = LIMIT};
	struct bma_cache_attr c = {.attr_size = sizeof c, .size = SIZE, .flags = BMA_CACHE_MERGE};

	top = bma_group_create(bma_group_root(), NULL);
	leaf = c.group = bma_group_create(top, &g);
	CHECK(leaf, "groups");
	cache = bma_cache_create(&c);
	CHECK(cache, "cache");
}

static bool take(void)
{
	void *obj = bma_cache_alloc(cache);

	if (obj)
		held[nheld++] = obj;
	return obj;
}

static void put(void)
{
	bma_cache_free(cache, held[--nheld]);
}

/* In a child that has one thread. @live: objects of others, or of calls that were in progress; SIZE_MAX: not known. */
static void check_child(uint64_t live)
{
	struct bma_group *other = bma_group_create(top, NULL);
	struct bma_group_stats s = stat_of(leaf), t = stat_of(top);

	CHECK(s.current == s.own && t.own == 0 && t.current == s.current,
	      "own %llu of %llu in %llu", (unsigned long long)s.own, (unsigned long long)s.current,
	      (unsigned long long)t.current);
	CHECK(stat_of(bma_group_root()).own == stat_of(bma_group_root()).slab_bytes, "the root");
	if (live != SIZE_MAX)
		CHECK(s.own - s.stocked == live * SIZE && s.objects == live,
		      "own %llu stocked %llu objects %llu, held %llu", (unsigned long long)s.own,
		      (unsigned long long)s.stocked, (unsigned long long)s.objects,
		      (unsigned long long)live);
	CHECK(!bma_trim(), "trim");
	CHECK(!stat_of(leaf).stocked, "a trim leaves %llu",
	      (unsigned long long)stat_of(leaf).stocked);
	while (nheld < HELD && take())
		;
	CHECK(stat_of(leaf).current <= LIMIT, "above the limit");
	CHECK(other && !bma_cache_recharge(cache, other), "recharge");
	CHECK(!stat_of(leaf).current, "after it %llu", (unsigned long long)stat_of(leaf).current);
	CHECK(!bma_group_destroy(leaf), "the group cannot be destroyed");
	while (nheld)
		put();
	CHECK(!bma_trim(), "trim");
	if (live != SIZE_MAX)
		CHECK(!stat_of(top).current, "left: %llu",
		      (unsigned long long)stat_of(top).current);
	_exit(0);
}

static void wait_for(pid_t pid)
{
	int status;

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid, "waitpid");
	CHECK(!status, "child: status %x", (unsigned int)status);
}

static void by_the_thread(void)
{
	struct bma_group_stats before, after;
	pid_t pid;

	while (nheld < HELD && take())
		;
	for (int i = 0; i < 20; i++)
		put();
	before = stat_of(leaf);
	pid = fork();
	if (!pid)
		check_child((uint64_t)nheld);
	wait_for(pid);
	after = stat_of(leaf);
	CHECK(before.current == after.current && before.stocked == after.stocked &&
		      before.payers == after.payers,
	      "the child changed what the parent has");
	while (nheld)
		put();
}

/* Forks in the handler; the child's main thread goes on where it was interrupted. */
static void handler(int sig)
{
	int saved = errno;
	pid_t pid;

	(void)sig;
	if (is_child || forks >= FORKS)
		return;
	forks++;
	pid = fork();
	if (pid)
		wait_for(pid);
	else
		is_child = true;
	errno = saved;
}

static void by_a_handler(void)
{
	uint64_t rng = test_seed;
	timer_t timer;

	storm_handler(handler);
	timer = storm_start(&rng);
	while (forks < FORKS) {
		if (test_random(&rng) % 128 < (uint64_t)nheld)
			put();
		else
			take();
		/* A fork in between is no matter: the call that it interrupted has ended. */
		if (is_child)
			check_child((uint64_t)nheld);
	}
	timer_delete(timer);
	while (nheld)
		put();
}

static void *busy(void *arg)
{
	uint64_t rng = test_seed * (2 * (uintptr_t)arg + 3);
	void *objs[40];

	test_pin((unsigned int)(uintptr_t)arg);
	while (!atomic_load(&stop)) {
		int n = 0, most = (int)(test_random(&rng) % 40);

		while (n < most && (objs[n] = bma_cache_alloc(cache)))
			n++;
		while (n--)
			bma_cache_free(cache, objs[n]);
	}
	return NULL;
}

/* Calls that others had in progress are forgotten, and what they had charged for them is; the tree adds up. */
static void among_others(void)
{
	pthread_t t[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, busy, (void *)i), "thread");
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid;

		usleep(3000);
		pid = fork();
		if (!pid)
			check_child(SIZE_MAX);
		wait_for(pid);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

int main(int argc, char **argv)
{
	struct bma_group_stats s;

	test_args(argc, argv, 0);
	alarm(120);
	make();
	by_the_thread();
	by_a_handler();
	among_others();
	CHECK(!bma_trim(), "trim");
	s = stat_of(leaf);
	CHECK(!s.current, "left: %llu", (unsigned long long)s.current);
	printf("forks by handlers %d\n", forks);
	return 0;
}
