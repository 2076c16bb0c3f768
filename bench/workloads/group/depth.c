/* SPDX-License-Identifier: MIT */
/*
 * What do eight levels of groups cost against one? Ordinary pairs are charged from stocks, which know of no levels. A charge up the tree takes objects that no
 * stock can hold: it keeps 128 KiB at most, and those of 160 KiB are charged by each allocation and uncharged by each free, which is looked at before anything is
 * measured. Less the same pair of a cache without a payer that is the charge alone, with its uncharge.
 *
 * Levels are those below the root, which is charged on top of them. `root` is a cache that the root itself pays for.
 */
#include "group.h"

#define SIZE 64
#define LARGE ((size_t)160 << 10)
#define CHARGES 1024
#define DEEP 8

enum { FREE_OF_CHARGE, ROOT, LEVEL_1, LEVEL_8, PAIR_1, PAIR_8, LOOPS };

#define PAIRS_OF(name, number, n)                                                                  \
	static uint64_t name(void *arg)                                                            \
	{                                                                                          \
		return group_exported_pairs(((struct bma_cache **)arg)[number], n);                \
	}

PAIRS_OF(free_of_charge, FREE_OF_CHARGE, CHARGES)
PAIRS_OF(root, ROOT, CHARGES)
PAIRS_OF(level_1, LEVEL_1, CHARGES)
PAIRS_OF(level_8, LEVEL_8, CHARGES)
PAIRS_OF(pair_1, PAIR_1, GROUP_PAIRS)
PAIRS_OF(pair_8, PAIR_8, GROUP_PAIRS)

static uint64_t (*const loops[LOOPS])(void *) = {free_of_charge, root,	 level_1,
						 level_8,	 pair_1, pair_8};

/* Each allocation of @cache is to reach @group, and each free. */
static void check(struct bma_cache *cache, struct bma_group *group)
{
	uint64_t before = group_current(group);

	for (int i = 0; i < 3; i++) {
		void *p = bma_cache_alloc_flags(cache, BMA_SLEEP);

		if (group_current(group) < before + LARGE)
			bench_die("an object was not charged");
		bma_cache_free(cache, p);
		if (group_current(group) != before)
			bench_die("an object is charged still");
	}
}

static void make(struct bma_cache **caches)
{
	struct bma_group *top = group_made(NULL, 1), *bottom = group_made(top, DEEP - 1);
	struct bma_group *only = group_made(NULL, 1);

	caches[FREE_OF_CHARGE] = group_cache(LARGE, BMA_CACHE_MERGE, NULL);
	caches[ROOT] = group_cache(LARGE, BMA_CACHE_MERGE, bma_group_root());
	caches[LEVEL_1] = group_cache(LARGE, BMA_CACHE_MERGE, only);
	caches[LEVEL_8] = group_cache(LARGE, BMA_CACHE_MERGE, bottom);
	caches[PAIR_1] = group_cache(SIZE, BMA_CACHE_MERGE, only);
	caches[PAIR_8] = group_cache(SIZE, BMA_CACHE_MERGE, bottom);
	check(caches[LEVEL_1], only);
	check(caches[LEVEL_8], bottom);
	check(caches[LEVEL_8], top);
}

static void depth(struct bench_state *st, void *arg)
{
	static struct turns turns;
	struct bma_cache *caches[LOOPS];
	double ns[LOOPS];

	(void)arg;
	make(caches);
	while (bench_keep_running(st)) {
		turns_run(&turns, loops, LOOPS, caches);
		for (size_t i = 0; i < LOOPS; i++)
			ns[i] = turns_ns(&turns, i, i < PAIR_1 ? CHARGES : GROUP_PAIRS);
		bench_set_iteration_time(st, ns[LEVEL_8] * 1e-9);
		bench_set_counter(st, "free_of_charge_ns", ns[FREE_OF_CHARGE], 0);
		bench_set_counter(st, "root_ns", ns[ROOT] - ns[FREE_OF_CHARGE], 0);
		bench_set_counter(st, "charge_1_ns", ns[LEVEL_1] - ns[FREE_OF_CHARGE], 0);
		bench_set_counter(st, "charge_8_ns", ns[LEVEL_8] - ns[FREE_OF_CHARGE], 0);
		bench_set_counter(
			st, "charge_8_over_1",
			(ns[LEVEL_8] - ns[FREE_OF_CHARGE]) / (ns[LEVEL_1] - ns[FREE_OF_CHARGE]), 0);
		bench_set_counter(st, "pair_1_ns", ns[PAIR_1], 0);
		bench_set_counter(st, "pair_8_ns", ns[PAIR_8], 0);
		bench_set_counter(st, "pair_8_over_1", ns[PAIR_8] / ns[PAIR_1], 0);
	}
}

void group_depth_register(void)
{
	static const char *const names[] = {"levels"};
	struct bench *b = group_row("group/depth", depth, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, DEEP);
}
