/* SPDX-License-Identifier: MIT */
/* Does what each probe tells of, once or, with an argument, for so many seconds. */
#include <bma/bma.h>

#include <errno.h>
#include <stdlib.h>

#include "test.h"

#define N 2000

static struct bma_cache *make(const char *name, size_t size, struct bma_group *group)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof(attr), .name = name, .size = size, .group = group};
	struct bma_cache *cache = bma_cache_create(&attr);

	CHECK(cache, "%s", name);
	return cache;
}

/* Refills, slabs and chunks come and go. */
static void up_and_down(void)
{
	struct bma_cache *cache = make("waves", 4096, NULL);
	static void *objs[N];

	for (int i = 0; i < N; i++) {
		objs[i] = bma_cache_alloc_flags(cache, BMA_SLEEP);
		CHECK(objs[i], "an object");
	}
	for (int i = 0; i < N; i++) {
		if (i % 2)
			bma_cache_free(cache, objs[i]);
		else
			bma_cache_free_rcu(cache, objs[i]);
	}
	CHECK(!bma_rcu_barrier(cache), "barrier");
	CHECK(!bma_cache_destroy(cache), "destroy");
}

/* Nothing refills while the worker does not run. */
static void empty(void)
{
	struct bma_cache *cache = make("bursts", 64, NULL);
	static void *objs[N];
	int n = 0;

	while (n < N && (objs[n] = bma_cache_alloc(cache)))
		n++;
	CHECK(n < N, "no failure");
	bma_cache_free_bulk(cache, objs, (size_t)n);
	CHECK(!bma_cache_destroy(cache), "destroy");
}

static void limited(void)
{
	struct bma_group_attr attr = {
		.attr_size = sizeof(attr), .name = "small", .max = 256 << 10, .high = 128 << 10};
	struct bma_group *group = bma_group_create(NULL, &attr);
	struct bma_cache *cache;
	static void *objs[N];
	size_t n = 0;

	CHECK(group, "a group");
	cache = make("limited", 1024, group);
	while (n < N && (objs[n] = bma_cache_alloc_flags(cache, BMA_SLEEP)))
		n++;
	CHECK(n < N && errno == EDQUOT, "no failure");
	bma_cache_free_bulk(cache, objs, n);
	CHECK(!bma_cache_destroy(cache), "destroy");
	CHECK(!bma_group_destroy(group), "destroy the group");
}

int main(int argc, char **argv)
{
	double end = test_seconds() + (argc > 1 ? atof(argv[1]) : 0);

	setenv("BMA_CONF", "worker:off,purge_ms:0", 1); /* chunks go at once */
	do {
		up_and_down();
		empty();
		limited();
		if (argc > 1)
			usleep(20000);
	} while (test_seconds() < end);
	return bma_trim();
}
