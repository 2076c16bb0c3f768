/* SPDX-License-Identifier: MIT */
/*
 * Do bursts of any-context allocations fail? After warm-up BURST of them in a row, fewer than the
 * stock that the cache was told to keep: none may fail. Then on until three times the stock: what
 * fails must be counted as "depot empty", and nothing else.
 */
#include "workloads/workload.h"

#include <bma/bma.h>

#define SIZE 64
#define STOCK 16384
#define BURST 10000
#define BEYOND (3 * STOCK)
#define WARM_UP 1000
#define BURSTS 8

static void *objects[BEYOND];

/* Allocates places [from, to); returns how many of these calls failed. */
static uint64_t take(struct bma_cache *cache, size_t from, size_t to)
{
	uint64_t failures = 0;

	for (size_t i = from; i < to; i++) {
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
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .size = SIZE, .reserve = STOCK};
	struct bma_cache_stats before, after;
	uint64_t within = 0, beyond = 0;
	struct bma_cache *cache;
	double start;

	(void)arg;
	host_unpin();
	cache = bma_cache_create(&attr);
	if (!cache)
		bench_die("bma_cache_create failed");
	host_pin(0);
	counted(cache, &before);
	while (bench_keep_running(st)) {
		within += take(cache, 0, WARM_UP);
		give(cache, WARM_UP);
		/* Waits for the stock, as a program that knows of a burst to come can. */
		while (bma_poll(0) > 0)
			;
		start = host_seconds();
		within += take(cache, 0, BURST);
		bench_set_iteration_time(st, host_seconds() - start);
		beyond += take(cache, BURST, BEYOND);
		give(cache, BEYOND);
	}
	counted(cache, &after);
	bench_set_counter(st, "failed_within", (double)within, 0);
	bench_set_counter(st, "failed_beyond", (double)beyond, 0);
	bench_set_counter(st, "counted_depot_empty",
			  (double)(after.fail_depot_empty - before.fail_depot_empty), 0);
	bench_set_counter(st, "counted_elsewhere",
			  (double)(after.fail_system - before.fail_system + after.fail_refill -
				   before.fail_refill),
			  0);
	bench_set_counter(st, "miscounted",
			  (double)(after.fail_depot_empty - before.fail_depot_empty) -
				  (double)(within + beyond),
			  0);
	bench_set_items_processed(st, bench_iterations(st) * BURST);
	if (bma_cache_destroy(cache))
		bench_die("bma_cache_destroy: objects are live");
}

void burst_register(void)
{
	struct bench *b = bench_register("burst", burst, NULL);
	static const char *const names[] = {"n", "size"};

	bench_arg_names(b, names, 2);
	bench_args(b, (const int64_t[]){BURST, SIZE}, 2);
	bench_fix_iterations(b, BURSTS);
	bench_use_manual_time(b);
	bench_set_unit(b, BENCH_MICROSECOND);
}
