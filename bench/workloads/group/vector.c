/* SPDX-License-Identifier: MIT */
/*
 * What do owners take of a slab? A slab that is full of live objects is looked at: how many there are, in a cache with a group and in one without, and how far
 * the numbers of their owners reach behind the last one, where nothing is zero but what nobody uses. `vector_bytes` is that reach for each object; `over_bytes`
 * what a slab gives to each object more than without owners, which also has what no whole object fits into.
 */
#include "group.h"

#define OBJECTS 300000

static void *objects[OBJECTS];

struct full {
	size_t bytes;  /* of the slab */
	size_t n;      /* objects in it */
	uintptr_t end; /* of its last one */
	uintptr_t base;
};

static int compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)(*(void *const *)a), y = (uintptr_t)(*(void *const *)b);

	return (x > y) - (x < y);
}

/* The slab with most objects; all of OBJECTS are live. Slabs are aligned to their size. */
static struct full fullest(struct bma_cache *cache)
{
	struct bma_cache_stats stats;
	struct full most = {0}, at = {0};

	for (size_t i = 0; i < OBJECTS; i++) {
		objects[i] = bma_cache_alloc_flags(cache, BMA_SLEEP);
		if (!objects[i])
			group_no_memory();
	}
	if (bma_cache_stats_get(cache, &stats, sizeof(stats)))
		bench_die("bma_cache_stats_get failed");
	at.bytes = stats.slab_bytes / stats.slabs;
	qsort(objects, OBJECTS, sizeof(objects[0]), compare);
	for (size_t i = 0; i < OBJECTS; i++) {
		uintptr_t base = (uintptr_t)objects[i] & ~((uintptr_t)at.bytes - 1);

		if (base != at.base)
			at.n = 0;
		at.base = base;
		at.n++;
		at.end = (uintptr_t)objects[i] + stats.stride;
		if (at.n > most.n)
			most = at;
	}
	return most;
}

/* From the first word behind the objects that is not zero to the last one, in bytes. */
static size_t reach(const struct full *slab)
{
	const uint16_t *from = (const uint16_t *)slab->end;
	const uint16_t *to = (const uint16_t *)(slab->base + slab->bytes);

	while (from < to && !*from)
		from++;
	while (to > from && !to[-1])
		to--;
	return (size_t)(to - from) * sizeof(*from);
}

static void give_back(struct bma_cache *cache)
{
	for (size_t i = 0; i < OBJECTS; i++)
		bma_cache_free(cache, objects[i]);
}

static void vector(struct bench_state *st, void *arg)
{
	const size_t size = (size_t)bench_range(st, 0);
	struct bma_cache *with = group_cache(size, BMA_CACHE_MERGE, group_made(NULL, 1));
	struct bma_cache *without = group_cache(size, BMA_CACHE_MERGE, NULL);
	struct full owned, plain;
	double start, each, bytes;

	(void)arg;
	while (bench_keep_running(st)) {
		start = host_seconds();
		owned = fullest(with);
		bytes = (double)reach(&owned);
		give_back(with);
		plain = fullest(without);
		give_back(without);
		each = (double)owned.bytes / (double)owned.n;
		bench_set_iteration_time(st, host_seconds() - start);
		bench_set_counter(st, "slab_kib", (double)owned.bytes / 1024, 0);
		bench_set_counter(st, "plain_slab_kib", (double)plain.bytes / 1024, 0);
		bench_set_counter(st, "vector_bytes", bytes / (double)owned.n, 0);
		bench_set_counter(st, "each_bytes", each, 0);
		bench_set_counter(st, "over_bytes", each - (double)plain.bytes / (double)plain.n,
				  0);
	}
}

void group_vector_register(void)
{
	static const char *const names[] = {"size"};
	struct bench *b = group_row("group/memory/owners", vector, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, 16);
	bench_arg(b, 64);
	bench_arg(b, 256);
}
