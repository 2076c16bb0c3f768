/* SPDX-License-Identifier: MIT */
/*
 * Threads take thousands of objects at a time, write their marks all over them, look whether these are still there, and free them all, at once or after a
 * grace period, while others trim and poll. Pages that went back although they were in use, or were given to two, show as marks that are
 * gone; at the end all objects are at home, and all memory goes back.
 */
#include <bma/bma.h>

#include <pthread.h>
#include <stdatomic.h>

#include "test.h"

enum { THREADS = 3, MOST = 12000, CACHES = 4 };

static const size_t sizes[CACHES] = {64, 256, 1024, 40000};
static const unsigned int most[CACHES] = {MOST, MOST / 2, MOST / 4, 100};
static struct bma_cache *caches[CACHES];
static double end;
static _Atomic unsigned long bursts;

static void check(const uint64_t *obj, size_t size, uint64_t mark)
{
	/* One word of each page, and the last. */
	for (size_t at = 0; at < size / 8; at += 512)
		CHECK(obj[at] == mark, "%p + %zu of %zu", (const void *)obj, at * 8, size);
	CHECK(obj[size / 8 - 1] == mark, "the last word of %p", (const void *)obj);
}

static void fill(uint64_t *obj, size_t size, uint64_t mark)
{
	for (size_t at = 0; at < size / 8; at++)
		obj[at] = mark;
}

static void burst(unsigned int thread, uint64_t *state, uint64_t **objs)
{
	unsigned int i = (unsigned int)(test_random(state) % CACHES);
	unsigned int n = 1 + (unsigned int)(test_random(state) % most[i]), step;
	uint64_t mark = test_random(state) << 8 | thread;

	for (unsigned int k = 0; k < n; k++) {
		objs[k] = bma_cache_alloc_flags(caches[i], BMA_SLEEP);
		CHECK(objs[k], "no memory");
		fill(objs[k], sizes[i], mark + k);
	}
	for (unsigned int k = 0; k < n; k++)
		check(objs[k], sizes[i], mark + k);
	/* In an order that leaves the last ones anywhere. */
	step = 1 + (unsigned int)(test_random(state) % 3);
	for (unsigned int from = 0; from < step; from++) {
		for (unsigned int k = from; k < n; k += step) {
			check(objs[k], sizes[i], mark + k);
			if (mark >> 8 & 1)
				bma_cache_free_rcu(caches[i], objs[k]);
			else
				bma_cache_free(caches[i], objs[k]);
		}
	}
	atomic_fetch_add(&bursts, 1);
}

static void *work(void *arg)
{
	unsigned int thread = (unsigned int)(uintptr_t)arg;
	uint64_t state = test_seed + thread * 7919, **objs = calloc(MOST, sizeof *objs);

	CHECK(objs, "no memory");
	test_pin(thread);
	while (test_seconds() < end)
		burst(thread, &state, objs);
	free(objs);
	return NULL;
}

static void *trim(void *unused)
{
	const struct timespec nap = {0, 3000000};

	(void)unused;
	test_pin(1);
	for (unsigned int i = 0; test_seconds() < end; i++) {
		if (i % 8)
			CHECK(bma_poll(i % 2 ? BMA_POLL_GP : 0) >= 0, "poll");
		else
			CHECK(!bma_trim(), "trim");
		nanosleep(&nap, NULL);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	double seconds = test_args(argc, argv, 2);
	pthread_t t[THREADS + 1];
	struct bma_stats s;

	alarm(120 + (unsigned int)seconds);
	end = test_seconds() + seconds;
	for (int i = 0; i < CACHES; i++) {
		struct bma_cache_attr a = {.attr_size = sizeof a, .size = sizes[i]};

		caches[i] = bma_cache_create(&a);
		CHECK(caches[i], "create");
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, work, (void *)i), "thread");
	CHECK(!pthread_create(&t[THREADS], NULL, trim, NULL), "thread");
	for (int i = 0; i <= THREADS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < CACHES; i++) {
		CHECK(!bma_rcu_barrier(caches[i]), "barrier");
		CHECK(!bma_cache_destroy(caches[i]), "objects are live: %d", i);
	}
	CHECK(!bma_trim(), "trim");
	bma_stats_get(&s, sizeof s);
	CHECK(!s.slab_bytes && !s.dirty_bytes, "slabs %llu, dirty %llu",
	      (unsigned long long)s.slab_bytes, (unsigned long long)s.dirty_bytes);
	CHECK(s.purged_bytes, "nothing was ever given back");
	CHECK(s.chunk_bytes <= (2u << 20) * (s.nodes ? s.nodes : 1), "chunks %llu",
	      (unsigned long long)s.chunk_bytes);
	printf("bursts %lu, given back %llu MiB\n", bursts,
	       (unsigned long long)s.purged_bytes >> 20);
	return 0;
}
