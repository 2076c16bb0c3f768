/* SPDX-License-Identifier: MIT */
/*
 * What does it cost to pay for each object? Pairs of a merged cache with a group and of one without, by exported calls and by the headers, which do not
 * inline the calls of one with a group. And pairs of a private cache without: a merged one without a group is no slower.
 */
#include "group.h"

#define SIZE 64

struct caches {
	struct bma_cache *without, *with, *alone;
};

static uint64_t inlined_without(void *arg)
{
	return group_inlined_pairs(((struct caches *)arg)->without, GROUP_PAIRS);
}

static uint64_t exported_without(void *arg)
{
	return group_exported_pairs(((struct caches *)arg)->without, GROUP_PAIRS);
}

static uint64_t inlined_with(void *arg)
{
	return group_inlined_pairs(((struct caches *)arg)->with, GROUP_PAIRS);
}

static uint64_t exported_with(void *arg)
{
	return group_exported_pairs(((struct caches *)arg)->with, GROUP_PAIRS);
}

static uint64_t inlined_private(void *arg)
{
	return group_inlined_pairs(((struct caches *)arg)->alone, GROUP_PAIRS);
}

static uint64_t exported_private(void *arg)
{
	return group_exported_pairs(((struct caches *)arg)->alone, GROUP_PAIRS);
}

enum { INLINED, EXPORTED, INLINED_WITH, EXPORTED_WITH, INLINED_PRIVATE, EXPORTED_PRIVATE };

static uint64_t (*const loops[])(void *) = {inlined_without, exported_without, inlined_with,
					    exported_with,   inlined_private,  exported_private};
static const char *const figures[] = {"inlined_ns",	    "exported_ns",
				      "inlined_with_ns",    "exported_with_ns",
				      "inlined_private_ns", "exported_private_ns"};

static void pair(struct bench_state *st, void *arg)
{
	static struct turns turns;
	struct caches c = {
		.without = group_cache(SIZE, BMA_CACHE_MERGE, NULL),
		.with = group_cache(SIZE, BMA_CACHE_MERGE, group_made(NULL, 1)),
		.alone = group_cache(SIZE, 0, NULL),
	};

	(void)arg;
	while (bench_keep_running(st)) {
		turns_run(&turns, loops, BENCH_ARRAY_SIZE(loops), &c);
		for (size_t i = 0; i < BENCH_ARRAY_SIZE(loops); i++)
			bench_set_counter(st, figures[i], turns_ns(&turns, i, GROUP_PAIRS), 0);
		bench_set_iteration_time(st, turns_ns(&turns, EXPORTED_WITH, GROUP_PAIRS) * 1e-9);
		bench_set_counter(st, "exported_over_exported",
				  group_ratio(&turns, EXPORTED_WITH, EXPORTED, GROUP_PAIRS), 0);
		bench_set_counter(st, "exported_over_inlined",
				  group_ratio(&turns, EXPORTED_WITH, INLINED, GROUP_PAIRS), 0);
		bench_set_counter(st, "inlined_over_inlined",
				  group_ratio(&turns, INLINED_WITH, INLINED, GROUP_PAIRS), 0);
	}
}

void group_pair_register(void)
{
	static const char *const names[] = {"size"};
	struct bench *b = group_row("group/pair", pair, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, SIZE);
}
