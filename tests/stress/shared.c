/* SPDX-License-Identifier: MIT */
/*
 * Charges and borrows of one group at the same time: what succeeded is never more than its max. And objects that one thread pins and another frees: they stay as they are until
 * they are unpinned, and in the end nothing is charged, borrowed or pinned.
 */
#include <bma/bma.h>

#include <pthread.h>
#include <stdatomic.h>

#include "test.h"

#define MAX ((uint64_t)1 << 20)
#define LARGE ((size_t)200 << 10) /* more than a stock holds: each is charged */
#define SIZE 1536
#define PLACES 64
#define PAIRS 4

static struct bma_group *shared, *group;
static struct bma_cache *large, *objects;
static _Atomic uint64_t held;
static _Atomic(void *) given[PLACES];
static _Atomic int stop;

static void hold(uint64_t bytes)
{
	uint64_t now = atomic_fetch_add(&held, bytes) + bytes;

	CHECK(now <= MAX, "%llu bytes are held", (unsigned long long)now);
	atomic_fetch_sub(&held, bytes);
}

static void *charging(void *arg)
{
	(void)arg;
	while (!stop) {
		void *p = bma_cache_alloc_flags(large, BMA_SLEEP);

		if (!p)
			continue;
		hold(LARGE);
		bma_cache_free(large, p);
	}
	return NULL;
}

static void *borrowing(void *arg)
{
	uint64_t state = test_seed + (uint64_t)(uintptr_t)arg;

	while (!stop) {
		uint64_t bytes = test_random(&state) % (MAX / 3);

		if (bma_shared_borrow(shared, group, bytes))
			continue;
		hold(bytes);
		CHECK(!bma_shared_unborrow(shared, group, bytes), "unborrow");
	}
	return NULL;
}

static void *pinning(void *arg)
{
	uint64_t state = test_seed + (uint64_t)(uintptr_t)arg;
	struct bma_pin_owner *o = bma_pin_owner_open(group);

	CHECK(o, "owner");
	while (!stop) {
		unsigned char *p = bma_cache_alloc_flags(objects, BMA_SLEEP);
		unsigned int i = (unsigned int)(test_random(&state) % PLACES);
		void *other;

		CHECK(p, "object");
		memset(p, (int)i, SIZE);
		CHECK(!bma_shared_pin(o, p), "pin");
		other = atomic_exchange(&given[i], p);
		if (other && i % 2)
			bma_cache_free(objects, other);
		else if (other)
			bma_cache_free_rcu(objects, other);
		for (int k = 0; k < SIZE; k += 64)
			CHECK(p[k] == i, "it was used again");
		if (test_random(&state) % 1000) {
			CHECK(!bma_shared_unpin(o, p), "unpin");
			continue;
		}
		CHECK(bma_pin_owner_close(o) == 1, "one pin");
		o = bma_pin_owner_open(group);
		CHECK(o, "owner");
	}
	bma_pin_owner_close(o);
	return NULL;
}

static struct bma_cache *cache_of(struct bma_group *payer, size_t size)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = size, .flags = BMA_CACHE_MERGE, .group = payer};
	struct bma_cache *c = bma_cache_create(&a);

	CHECK(c, "cache");
	return c;
}

static void check_end(void)
{
	struct bma_shared_stats pair;
	struct bma_group_stats s;

	for (int i = 0; i < PLACES; i++)
		bma_cache_free(objects, given[i]);
	CHECK(!bma_rcu_barrier(objects), "barrier");
	CHECK(!bma_trim(), "trim");
	CHECK(!bma_shared_stat(shared, group, &pair, sizeof pair), "stat");
	CHECK(!pair.borrowed && !pair.upper && !pair.pinned, "something is left");
	CHECK(!bma_group_stat(group, &s, sizeof s), "stat");
	CHECK(s.current == s.stocked, "%llu bytes are left", (unsigned long long)s.current);
	CHECK(!bma_cache_destroy(objects) && !bma_cache_destroy(large), "destroy");
	CHECK(!bma_group_destroy(group) && !bma_shared_destroy(shared), "destroy");
}

int main(int argc, char **argv)
{
	void *(*const mains[])(void *) = {charging, borrowing, pinning};
	double seconds = argc > 1 ? atof(argv[1]) : 2;
	struct bma_group_attr a = {.attr_size = sizeof a, .max = MAX};
	pthread_t threads[3 * PAIRS];

	test_seed = argc > 2 && atoll(argv[2]) ? (uint64_t)atoll(argv[2]) : 1;
	shared = bma_shared_create(NULL);
	group = bma_group_create(NULL, &a);
	CHECK(shared && group, "groups");
	objects = cache_of(shared, SIZE);
	large = cache_of(group, LARGE);
	/* A charge to borrow of. */
	CHECK(bma_cache_alloc_flags(cache_of(shared, MAX), BMA_SLEEP), "object");
	CHECK(!bma_shared_attach(shared, group, BMA_SHARED_BORROWED, BMA_GROUP_NO_LIMIT), "attach");
	for (size_t i = 0; i < 3 * PAIRS; i++)
		CHECK(!pthread_create(&threads[i], NULL, mains[i % 3], (void *)(i + 1)), "thread");
	usleep((useconds_t)(seconds * 1e6));
	stop = 1;
	for (size_t i = 0; i < 3 * PAIRS; i++)
		pthread_join(threads[i], NULL);
	check_end();
	return 0;
}
