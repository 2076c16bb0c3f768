/* SPDX-License-Identifier: MIT */
/*
 * Do bursts of any-context allocations fail? A cache is told a stock to keep, or none, and has time
 * to have it; then so many objects are taken in a row. Within the stock none may fail; beyond it, what
 * fails must be counted as "depot empty", and nothing else.
 */
#include "workloads/workload.h"

#include <bma/bma.h>

#define SIZE 64
#define STOCK 16384
#define MOST (3 * STOCK)
#define WARM_UP 1000
#define BURSTS 8

static const size_t stocks[] = {0, STOCK};
static const size_t bursts[] = {100, 1000, 4000, 10000, STOCK, STOCK * 3 / 2, MOST};

static void *objects[MOST];

/* Allocates @n; returns how many of these calls failed. */
static uint64_t take(struct bma_cache *cache, size_t n)
{
	uint64_t failures = 0;

	for (size_t i = 0; i < n; i++) {
		objects[i] = bma_cache_alloc(cache);
		failures += !objects[i];
	}
	return failures;
}

static void give(struct bma_cache *cache, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bma_cache_free(cache, objects[i]);
}

static void counted(struct bma_cache *cache, struct bma_cache_stats *stats)
{
	if (bma_cache_stats_get(cache, stats, sizeof(*stats)))
		bench_die("bma_cache_stats_get failed");
}

static void burst(struct bench_state *st, void *arg)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .size = SIZE};
	size_t n = (size_t)bench_range(st, 1);
	struct bma_cache_stats before, after;
	uint64_t others = 0, failed = 0;
	struct bma_cache *cache;
	double start;

	(void)arg;
	attr.reserve = (size_t)bench_range(st, 0);
	host_unpin();
	cache = bma_cache_create(&attr);
	if (!cache)
		bench_die("bma_cache_create failed");
	host_pin(0);
	counted(cache, &before);
	while (bench_keep_running(st)) {
		others += take(cache, WARM_UP);
		give(cache, WARM_UP);
		/* Waits for the stock, as a program that knows of a burst to come can. */
		while (bma_poll(0) > 0)
			;
		start = host_seconds();
		failed += take(cache, n);
		bench_set_iteration_time(st, host_seconds() - start);
		give(cache, n);
	}
	counted(cache, &after);
	bench_set_counter(st, "failed", (double)failed, 0);
	bench_set_counter(st, "failed_percent", 100.0 * (double)failed / (double)n / BURSTS, 0);
	bench_set_counter(st, "counted_depot_empty",
			  (double)(after.fail_depot_empty - before.fail_depot_empty), 0);
	bench_set_counter(st, "counted_elsewhere",
			  (double)(after.fail_system - before.fail_system + after.fail_refill -
				   before.fail_refill),
			  0);
	bench_set_counter(st, "miscounted",
			  (double)(after.fail_depot_empty - before.fail_depot_empty) -
				  (double)(others + failed),
			  0);
	bench_set_items_processed(st, bench_iterations(st) * (int64_t)n);
	if (bma_cache_destroy(cache))
		bench_die("bma_cache_destroy: objects are live");
}

void burst_register(void)
{
	struct bench *b = bench_register("burst", burst, NULL);
	static const char *const names[] = {"stock", "n"};

	bench_arg_names(b, names, 2);
	for (size_t i = 0; i < BENCH_ARRAY_SIZE(stocks); i++) {
		for (size_t j = 0; j < BENCH_ARRAY_SIZE(bursts); j++)
			bench_args(b, (const int64_t[]){(int64_t)stocks[i], (int64_t)bursts[j]}, 2);
	}
	bench_fix_iterations(b, BURSTS);
	bench_use_manual_time(b);
	bench_set_unit(b, BENCH_MICROSECOND);
}
