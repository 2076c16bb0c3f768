/* SPDX-License-Identifier: MIT */
/*
 * An allocation and its free at once, of a size that the compiler knows: by a cache of that size, by a heap that
 * is told the size again when it frees, and by one that is not. The three loops take turns.
 */
#include "workloads/turns.h"

#define PAIRS 1024

struct known {
	struct bma_cache *cache;
	struct bma_heap *heap;
};

static void *there(void *p)
{
	if (__builtin_expect(!p, 0))
		bench_die("a cache that has an object has none");
	return p;
}

static uint64_t cache_pairs(void *arg)
{
	struct bma_cache *cache = ((struct known *)arg)->cache;
	uint64_t t = host_tick_begin();

	for (int i = 0; i < PAIRS; i++)
		bma_cache_free(cache, bench_use(there(bma_cache_alloc(cache))));
	return host_tick_end() - t;
}

/* The loops of a heap for one size. */
#define KNOWN(size)                                                                                \
	static uint64_t sized_pairs_##size(void *arg)                                              \
	{                                                                                          \
		struct bma_heap *heap = ((struct known *)arg)->heap;                               \
		uint64_t t = host_tick_begin();                                                    \
                                                                                                   \
		for (int i = 0; i < PAIRS; i++)                                                    \
			bma_heap_free_sized(heap, bench_use(there(bma_heap_alloc(heap, size))),    \
					    size);                                                 \
		return host_tick_end() - t;                                                        \
	}                                                                                          \
                                                                                                   \
	static uint64_t unsized_pairs_##size(void *arg)                                            \
	{                                                                                          \
		struct bma_heap *heap = ((struct known *)arg)->heap;                               \
		uint64_t t = host_tick_begin();                                                    \
                                                                                                   \
		for (int i = 0; i < PAIRS; i++)                                                    \
			bma_heap_free(heap, bench_use(there(bma_heap_alloc(heap, size))));         \
		return host_tick_end() - t;                                                        \
	}

KNOWN(16)
KNOWN(64)
KNOWN(256)
KNOWN(1024)
KNOWN(4096)

static const struct {
	size_t size;
	uint64_t (*loops[3])(void *arg);
} sizes[] = {
	{16, {cache_pairs, sized_pairs_16, unsized_pairs_16}},
	{64, {cache_pairs, sized_pairs_64, unsized_pairs_64}},
	{256, {cache_pairs, sized_pairs_256, unsized_pairs_256}},
	{1024, {cache_pairs, sized_pairs_1024, unsized_pairs_1024}},
	{4096, {cache_pairs, sized_pairs_4096, unsized_pairs_4096}},
};

/* Both have an object in the slot of the CPU that measures. */
static struct known make(size_t size)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .size = size};
	struct known k = {.cache = bma_cache_create(&attr), .heap = bma_heap_made()};

	if (!k.cache)
		bench_die("bma_cache_create failed");
	host_pin(0);
	bma_cache_free(k.cache, bma_cache_alloc_flags(k.cache, BMA_SLEEP));
	bma_heap_free(k.heap, bma_heap_alloc_flags(k.heap, size, BMA_SLEEP));
	return k;
}

static void known(struct bench_state *st, void *arg)
{
	static struct turns turns;
	const size_t i = *(const size_t *)arg;
	double cache, sized, unsized;
	struct known k;

	host_unpin();
	k = make(sizes[i].size);
	while (bench_keep_running(st)) {
		turns_run(&turns, sizes[i].loops, BENCH_ARRAY_SIZE(sizes[i].loops), &k);
		cache = turns_ns(&turns, 0, PAIRS);
		sized = turns_ns(&turns, 1, PAIRS);
		unsized = turns_ns(&turns, 2, PAIRS);
		bench_set_iteration_time(st, sized * 1e-9);
		bench_set_counter(st, "cache_ns", cache, 0);
		bench_set_counter(st, "sized_ns", sized, 0);
		bench_set_counter(st, "unsized_ns", unsized, 0);
		bench_set_counter(st, "sized_over_cache", sized / cache, 0);
		bench_set_counter(st, "unsized_over_cache", unsized / cache, 0);
	}
	host_unpin();
	if (bma_heap_destroy(k.heap) || bma_cache_destroy(k.cache))
		bench_die("objects are live");
}

void heap_known_register(void)
{
	static const char *const names[] = {"size"};
	static size_t numbers[BENCH_ARRAY_SIZE(sizes)];

	for (size_t i = 0; i < BENCH_ARRAY_SIZE(sizes); i++) {
		struct bench *b = bench_register("heap/known", known, &numbers[i]);

		numbers[i] = i;
		bench_arg_names(b, names, 1);
		bench_arg(b, (int64_t)sizes[i].size);
		bench_fix_iterations(b, 1);
		bench_use_manual_time(b);
	}
}
