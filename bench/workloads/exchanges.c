/* SPDX-License-Identifier: MIT */
/*
 * How often do magazines move between a CPU and the depot in steady churn? For batch sizes up to
 * the objects that a slot keeps (its high watermark), counted by the library, per allocation and
 * free.
 */
#include "workloads/workload.h"

#include <bma/bma.h>

#include <stdatomic.h>

/* Allocations plus frees per batch size. */
#define CALLS 200000
#define MAX_BATCH 16384

static size_t sizes[] = {16, 64, 256, 1024};
static void *objects[MAX_BATCH];
static uint32_t order[MAX_BATCH];

static struct bma_cache_stats figures(struct bma_cache *cache)
{
	struct bma_cache_stats stats = {0};

	if (bma_cache_stats_get(cache, &stats, sizeof(stats)))
		bench_die("bma_cache_stats_get failed");
	return stats;
}

/* Exchanges per call in batches of n. */
static double churn(struct bma_cache *cache, size_t n)
{
	size_t batches = CALLS / (2 * n) + 1;
	uint64_t before;

	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)(n - 1 - i);
	for (size_t i = 0; i < batches / 4 + 4; i++)
		workload_batch(cache, objects, order, n, true);
	before = figures(cache).depot_exchanges;
	for (size_t i = 0; i < batches; i++)
		workload_batch(cache, objects, order, n, true);
	return (double)(figures(cache).depot_exchanges - before) / (double)(2 * n * batches);
}

/* Exchanges per call in runs of up to high allocations or frees, the number of live objects
 * wandering between 0 and MAX_BATCH. */
static double wander(struct bma_cache *cache, size_t high)
{
	uint64_t seed = 2463534242u, before = figures(cache).depot_exchanges;
	size_t live = 0, calls = 0;

	while (calls < 4 * CALLS) {
		size_t run = (size_t)(workload_random(&seed) % high) + 1;
		size_t room = MAX_BATCH - live;

		if (workload_random(&seed) >> 63) {
			run = run < room ? run : room;
			for (size_t i = 0; i < run; i++)
				objects[live++] = bench_take(cache);
		} else {
			run = run < live ? run : live;
			for (size_t i = 0; i < run; i++)
				bma_cache_free(cache, objects[--live]);
		}
		calls += run;
	}
	before = figures(cache).depot_exchanges - before;
	while (live)
		bma_cache_free(cache, objects[--live]);
	return (double)before / (double)calls;
}

/* The next batch size: all to 8, then by an eighth, and the watermark itself. */
static size_t next(size_t n, size_t high)
{
	size_t more = n + (n < 8 ? 1 : n / 8);

	return n < high && more > high ? high : more;
}

static void exchanges(struct bench_state *st, void *arg)
{
	const size_t size = *(size_t *)arg;
	size_t high = 1, worst_batch = 0;
	double worst = 0, each;
	peer_pool cache;
	char key[32];

	host_unpin();
	cache = peer_create(size, MAX_BATCH);
	host_pin(0);
	while (bench_keep_running(st)) {
		for (size_t n = 1; n <= high && n <= MAX_BATCH; n = next(n, high)) {
			each = churn(cache, n);
			if (each > worst) {
				worst = each;
				worst_batch = n;
			}
			snprintf(key, sizeof(key), "batch_%zu", n);
			bench_set_counter(st, key, each, 0);
			/* The watermark adapts to what it sees. */
			high = (size_t)figures(cache).slot_high;
		}
	}
	bench_set_counter(st, "random", wander(cache, high < MAX_BATCH ? high : MAX_BATCH), 0);
	bench_set_counter(st, "worst", worst, 0);
	bench_set_counter(st, "worst_batch", (double)worst_batch, 0);
	bench_set_counter(st, "high", (double)high, 0);
	if (bma_cache_destroy(cache))
		bench_die("bma_cache_destroy: objects are live");
}

void exchanges_register(void)
{
	static const char *const names[] = {"size"};

	for (size_t i = 0; i < BENCH_ARRAY_SIZE(sizes); i++) {
		struct bench *b = bench_register("exchanges", exchanges, &sizes[i]);

		bench_arg_names(b, names, 1);
		bench_arg(b, (int64_t)sizes[i]);
		bench_fix_iterations(b, 1);
		bench_set_unit(b, BENCH_MILLISECOND);
	}
}
