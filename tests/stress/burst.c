/* SPDX-License-Identifier: MIT */
/*
 * No NULL while memory is free: may-sleep callers and reserves never fail, whatever any-context
 * bursts on other threads do to the depot; and the failures of those are all counted as "depot
 * empty".
 */
#include <bma/bma.h>

#include <pthread.h>
#include <stdatomic.h>

#include "test.h"

#define BURST 2000
#define RESERVE 500

static struct bma_cache *cache;
static _Atomic int stop;
static _Atomic uint64_t empty;

static void *any_context(void *arg)
{
	static _Thread_local void *objs[BURST];

	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		size_t n = 0;

		for (size_t i = 0; i < BURST; i++) {
			objs[n] = bma_cache_alloc(cache);
			if (objs[n])
				n++;
			else
				empty++;
		}
		bma_cache_free_bulk(cache, objs, n);
	}
	return NULL;
}

static void *may_sleep(void *arg)
{
	static _Thread_local void *objs[BURST];

	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		CHECK(bma_cache_alloc_bulk(cache, objs, BURST, BMA_SLEEP) == BURST, "may sleep");
		bma_cache_free_bulk(cache, objs, BURST);
	}
	return NULL;
}

static void *reserved(void *arg)
{
	struct bma_reserve *r = bma_reserve_create(cache, RESERVE);
	void *objs[RESERVE];

	test_pin((unsigned int)(uintptr_t)arg);
	CHECK(r, "reserve");
	while (!stop) {
		for (int i = 0; i < RESERVE; i++) {
			objs[i] = bma_reserve_alloc(r);
			CHECK(objs[i], "object %d of the reserve", i);
		}
		bma_cache_free_bulk(cache, objs, RESERVE);
		CHECK(!bma_reserve_refill(r), "refill");
	}
	bma_reserve_destroy(r);
	return NULL;
}

int main(int argc, char **argv)
{
	double end = test_args(argc, argv, 2);
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "burst", .size = 128};
	void *(*const mains[])(void *) = {any_context, may_sleep, reserved, any_context};
	struct bma_cache_stats s;
	pthread_t t[4];

	cache = bma_cache_create(&a);
	CHECK(cache, "create");
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, mains[i], (void *)i);
	for (end += test_seconds(); test_seconds() < end;)
		usleep(10000);
	stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	bma_cache_stats_get(cache, &s, sizeof s);
	CHECK(s.fail_depot_empty == empty, "%llu counted, %llu seen",
	      (unsigned long long)s.fail_depot_empty, (unsigned long long)empty);
	CHECK(!s.fail_system && !s.fail_refill, "the system refused nothing");
	printf("depot empty %llu, refills %llu\n", (unsigned long long)empty,
	       (unsigned long long)s.refills);
	CHECK(!bma_cache_destroy(cache), "objects are missing");
	return 0;
}
