/* SPDX-License-Identifier: MIT */
/*
 * Caches and heaps come and go while others look at all that there are.
 *
 * Threads make caches of every kind, use them for a moment and destroy them. Meanwhile the worker opens gates of sampled ones and
 * serves all, one thread reads every figure, ledger and name, and one trims and polls: whoever walks the registry must find a cache
 * whole or not at all, and who asks before the first one is made must find nothing. At the end nothing may be live.
 *
 * Words: threads=N.
 */
#include <bma/bma.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "test.h"

#define THREADS_MAX 16
#define OBJS 40

static const uint64_t kinds[] = {
	0,
	BMA_CACHE_SAMPLE,
	BMA_CACHE_MERGE,
	BMA_CACHE_MERGE | BMA_CACHE_COUNT,
	BMA_CACHE_PERCPU,
	BMA_CACHE_TRACK,
	BMA_CACHE_KEY,
	BMA_CACHE_DESTROY_ASYNC,
	BMA_CACHE_QUARANTINE,
};
static unsigned int nthreads = 3;
static _Atomic bool stop;
static _Atomic long caches, heaps, looks, seen;

static void use_cache(uint64_t *r)
{
	uint64_t flags = kinds[(test_random(r) >> 33) % (sizeof kinds / sizeof *kinds)];
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .name = "registry",
				   .size = 8 + (test_random(r) >> 33) % 500,
				   .flags = flags};
	struct bma_cache *c = bma_cache_create(&a);
	void *objs[OBJS];

	CHECK(c, "a cache with flags %#llx", (unsigned long long)flags);
	for (int i = 0; i < OBJS; i++) {
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		CHECK(objs[i], "an object of flags %#llx", (unsigned long long)flags);
	}
	for (int i = 0; i < OBJS; i++) {
		if (i & 3)
			bma_cache_free(c, objs[i]);
		else
			bma_cache_free_rcu(c, objs[i]);
	}
	CHECK(!bma_cache_destroy(c), "destroy of flags %#llx", (unsigned long long)flags);
	atomic_fetch_add(&caches, 1);
}

static void use_heap(uint64_t *r)
{
	struct bma_heap_attr a = {.attr_size = sizeof a, .name = "registry"};
	struct bma_heap *h = bma_heap_create(&a);
	void *p;

	CHECK(h, "a heap");
	p = bma_heap_alloc_flags(h, 1 + (test_random(r) >> 33) % 5000, BMA_SLEEP);
	CHECK(p, "an object of a heap");
	bma_heap_free(h, p);
	CHECK(!bma_heap_destroy(h), "a heap's end");
	atomic_fetch_add(&heaps, 1);
}

static void *makes(void *arg)
{
	uint64_t r = test_seed ^ ((uintptr_t)arg + 1) * 0x9e3779b97f4a7c15u;

	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		if (test_random(&r) >> 61)
			use_cache(&r);
		else
			use_heap(&r);
	}
	return NULL;
}

static int see(const struct bma_cache_stats *s, void *arg)
{
	(void)arg;
	CHECK(s->name[0] && s->stride >= s->object_size && s->capacity, "a cache in the making");
	atomic_fetch_add(&seen, 1);
	return 0;
}

static void *reads(void *arg)
{
	struct bma_node_stats node;
	struct bma_ledger ledger;
	struct bma_stats s;
	int here, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		CHECK(!bma_stats_get(&s, sizeof s), "figures");
		CHECK(s.mode == BMA_MODE_NONE || s.slots, "no slots");
		CHECK(!bma_node_stats_get(0, &node, sizeof node) || s.mode == BMA_MODE_NONE,
		      "node");
		CHECK(!bma_heap_of(&here) && !bma_heap_usable_size(&here), "not an object");
		CHECK(bma_numa_node_of(&here) == -1, "not an object");
		CHECK(bma_percpu_copies() || s.mode == BMA_MODE_NONE, "no copies");
		CHECK(!bma_stats_write(null, BMA_STATS_ALL, NULL), "text");
		CHECK(!bma_ledger_get(&ledger, sizeof ledger), "ledger");
		CHECK(!bma_cache_visit("regis", see, NULL), "visit");
		atomic_fetch_add(&looks, 1);
	}
	close(null);
	return NULL;
}

static void *trims(void *arg)
{
	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		bma_trim();
		bma_poll(0);
		usleep(1000);
	}
	return NULL;
}

/* Of caches that are still there: those that are destroyed later. */
static int left(const struct bma_cache_stats *s, void *arg)
{
	(void)arg;
	CHECK(!s->live && !s->parked, "%s: %llu live, %llu parked", s->name,
	      (unsigned long long)s->live, (unsigned long long)s->parked);
	return 0;
}

int main(int argc, char **argv)
{
	double end = test_args(argc, argv, 2);
	pthread_t t[THREADS_MAX + 2];

	alarm(120 + (unsigned int)end);
	for (int i = 3; i < argc; i++) {
		CHECK(sscanf(argv[i], "threads=%u", &nthreads) == 1, "word %s", argv[i]);
		CHECK(nthreads && nthreads <= THREADS_MAX, "threads");
	}
	for (uintptr_t i = 0; i < nthreads + 2; i++) {
		void *(*fn)(void *) = i == 0 ? reads : i == 1 ? trims : makes;

		CHECK(!pthread_create(&t[i], NULL, fn, (void *)i), "thread");
	}
	/* Longer where the machine is slow. */
	for (end += test_seconds(); test_seconds() < end || !(caches && heaps && seen);)
		usleep(10000);
	stop = true;
	for (unsigned int i = 0; i < nthreads + 2; i++)
		pthread_join(t[i], NULL);
	printf("caches %ld heaps %ld looks %ld seen %ld\n", (long)caches, (long)heaps, (long)looks,
	       (long)seen);
	bma_poll(0);
	CHECK(!bma_cache_visit(NULL, left, NULL), "visit");
	return 0;
}
