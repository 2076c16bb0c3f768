/* SPDX-License-Identifier: MIT */
/*
 * A free alone. N objects are allocated off the clock, all by the same call of a heap; then the clock runs while they are
 * freed, in random order: by the cache of their class, by the heap and their size, by the heap without it. The
 * three loops differ in nothing but that call, and take turns.
 */
#include "workloads/turns.h"

#define MOST 1000

struct frees {
	struct bma_heap *heap;
	struct bma_cache *cache; /* the heap's, of that size */
	size_t size;
	size_t n;
	void *objects[MOST];
	uint32_t order[MOST];
};

static void take(struct frees *f)
{
	void *objects[MOST];

	for (size_t i = 0; i < f->n; i++) {
		objects[i] = bma_heap_alloc(f->heap, f->size);
		if (__builtin_expect(!objects[i], 0))
			objects[i] = bma_heap_alloc_flags(f->heap, f->size, BMA_SLEEP);
		if (!objects[i])
			bench_die("out of memory");
	}
	for (size_t i = 0; i < f->n; i++)
		f->objects[i] = objects[f->order[i]];
}

static uint64_t cache_frees(void *arg)
{
	struct frees *f = arg;
	struct bma_cache *cache = f->cache;
	const size_t n = f->n;
	uint64_t t;

	take(f);
	t = host_tick_begin();
	for (size_t i = 0; i < n; i++)
		bma_cache_free(cache, f->objects[i]);
	return host_tick_end() - t;
}

static uint64_t sized_frees(void *arg)
{
	struct frees *f = arg;
	struct bma_heap *heap = f->heap;
	const size_t n = f->n, size = f->size;
	uint64_t t;

	take(f);
	t = host_tick_begin();
	for (size_t i = 0; i < n; i++)
		bma_heap_free_sized(heap, f->objects[i], size);
	return host_tick_end() - t;
}

static uint64_t unsized_frees(void *arg)
{
	struct frees *f = arg;
	struct bma_heap *heap = f->heap;
	const size_t n = f->n;
	uint64_t t;

	take(f);
	t = host_tick_begin();
	for (size_t i = 0; i < n; i++)
		bma_heap_free(heap, f->objects[i]);
	return host_tick_end() - t;
}

static uint64_t (*const loops[])(void *) = {cache_frees, sized_frees, unsized_frees};

static void free_alone(struct bench_state *st, void *arg)
{
	static struct turns turns;
	static struct frees f;
	double cache, sized, unsized;

	(void)arg;
	host_unpin();
	f.heap = bma_heap_made();
	f.n = (size_t)bench_range(st, 0);
	f.size = (size_t)bench_range(st, 1);
	f.cache = bma_heap_cache(f.heap, f.size);
	workload_shuffle(f.order, f.n);
	host_pin(0);
	while (bench_keep_running(st)) {
		turns_run(&turns, loops, BENCH_ARRAY_SIZE(loops), &f);
		cache = turns_ns(&turns, 0, (double)f.n);
		sized = turns_ns(&turns, 1, (double)f.n);
		unsized = turns_ns(&turns, 2, (double)f.n);
		bench_set_iteration_time(st, unsized * 1e-9);
		bench_set_counter(st, "cache_ns", cache, 0);
		bench_set_counter(st, "sized_ns", sized, 0);
		bench_set_counter(st, "unsized_ns", unsized, 0);
		bench_set_counter(st, "sized_over_cache", sized / cache, 0);
		bench_set_counter(st, "unsized_over_cache", unsized / cache, 0);
	}
	host_unpin();
	if (bma_heap_destroy(f.heap))
		bench_die("bma_heap_destroy failed");
}

void heap_free_register(void)
{
	static const char *const names[] = {"n", "size"};
	struct bench *b = bench_register("heap/free", free_alone, NULL);

	bench_arg_names(b, names, 2);
	bench_args(b, (const int64_t[]){100, 64}, 2);
	bench_args(b, (const int64_t[]){MOST, 64}, 2);
	bench_args(b, (const int64_t[]){MOST, 1024}, 2);
	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
}
