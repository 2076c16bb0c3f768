/* SPDX-License-Identifier: MIT */
/*
 * What a slot that grows is worth: batches of N objects of 64 bytes, of a cache whose slot grows as it likes, of one whose slot keeps its
 * first length (attr.high), and of one whose slot the budget refuses any magazine. Exchanges with the depot are counted by the library.
 */
#include "workloads/workload.h"

#include <bma/bma.h>

#define SIZE 64
#define BATCH_MAX 4000
#define HOG 4096
#define MAGAZINE 254u

enum { GROWS, FIXED, SPENT };
static const char *const names[] = {"adaptive/grows", "adaptive/fixed", "adaptive/spent"};
static const int kinds[] = {GROWS, FIXED, SPENT};
static void *objects[BATCH_MAX];
static uint32_t order[BATCH_MAX];

static struct bma_cache_stats figures(struct bma_cache *cache)
{
	struct bma_cache_stats s = {0};

	if (bma_cache_stats_get(cache, &s, sizeof(s)))
		bench_die("bma_cache_stats_get failed");
	return s;
}

static struct bma_cache *create(size_t size, uint32_t batch, uint64_t high)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .size = size, .batch = batch};
	struct bma_cache *cache;

	attr.high = high > UINT32_MAX ? UINT32_MAX : (uint32_t)high;
	cache = bma_cache_create(&attr);
	if (!cache)
		bench_die("bma_cache_create failed");
	return cache;
}

static uint64_t room(void)
{
	struct bma_stats s = {0};

	if (bma_stats_get(&s, sizeof(s)))
		bench_die("bma_stats_get failed");
	return s.cache_budget - s.cache_budget_used;
}

/* Caches that are charged for nearly all of the budget: less is left than a magazine of the one that is measured. */
static size_t spend(struct bma_cache **hogs, size_t most)
{
	size_t n = 0;

	while (n < most && room() >= MAGAZINE * SIZE) {
		uint64_t left = room();
		size_t size = HOG;

		/* The first one takes all but a part of a magazine; of what is left then one magazine is granted. */
		if (left < MAGAZINE * HOG)
			size = left / MAGAZINE / 16 * 16;
		hogs[n] = create(size, MAGAZINE, left / size / MAGAZINE * MAGAZINE);
		bma_cache_free(hogs[n], bma_cache_alloc_flags(hogs[n], BMA_SLEEP));
		n++;
	}
	return n;
}

static void adaptive(struct bench_state *st, void *arg)
{
	int kind = *(const int *)arg;
	size_t n = (size_t)bench_range(st, 0), nhogs = 0;
	struct bma_cache *hogs[16], *cache;
	struct bma_cache_stats before, after;
	uint64_t batches = 0;

	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)(n - 1 - i);
	host_unpin();
	cache = create(SIZE, 0, kind == FIXED ? 2 * MAGAZINE : 0);
	host_pin(0);
	nhogs = kind == SPENT ? spend(hogs, BENCH_ARRAY_SIZE(hogs)) : 0;
	for (size_t i = 0; i < 32; i++)
		workload_batch(cache, objects, order, n, false);
	before = figures(cache);
	while (bench_keep_running(st)) {
		workload_batch(cache, objects, order, n, false);
		batches++;
	}
	after = figures(cache);
	if ((kind == SPENT) != (after.budget_refused != 0))
		bench_die("the budget refused what it should not, or did not");
	bench_set_counter(st, "exchanges",
			  1000.0 * (double)(after.depot_exchanges - before.depot_exchanges) /
				  (double)(2 * n * batches),
			  0);
	bench_set_counter(st, "high", (double)(kind == SPENT ? 0 : after.slot_high), 0);
	bench_set_items_processed(st, bench_iterations(st) * (int64_t)n);
	if (bma_cache_destroy(cache))
		bench_die("bma_cache_destroy: objects are live");
	while (nhogs)
		bma_cache_destroy(hogs[--nhogs]);
}

void adaptive_register(void)
{
	static const char *const args[] = {"n"};

	for (size_t i = 0; i < BENCH_ARRAY_SIZE(kinds); i++) {
		struct bench *b = bench_register(names[i], adaptive, (void *)(uintptr_t)&kinds[i]);

		bench_arg_names(b, args, 1);
		bench_arg(b, 1000);
		bench_arg(b, BATCH_MAX);
		bench_measure_process_cpu_time(b);
	}
}
