/* SPDX-License-Identifier: MIT */
/*
 * What does a group cost a cache with memory of its own, which pays for slabs alone? Inlined pairs of one with a group against one without; and of a second one
 * without, for two caches are never alike: their words lie in other lines.
 */
#include "group.h"

#define SIZE 64

struct caches {
	struct bma_cache *without, *with, *again;
};

static uint64_t without(void *arg)
{
	return group_inlined_pairs(((struct caches *)arg)->without, GROUP_PAIRS);
}

static uint64_t with(void *arg)
{
	return group_inlined_pairs(((struct caches *)arg)->with, GROUP_PAIRS);
}

static uint64_t again(void *arg)
{
	return group_inlined_pairs(((struct caches *)arg)->again, GROUP_PAIRS);
}

static uint64_t (*const loops[])(void *) = {without, with, again};

static void private(struct bench_state *st, void *arg)
{
	static struct turns turns;
	struct caches c = {
		.without = group_cache(SIZE, 0, NULL),
		.with = group_cache(SIZE, 0, group_made(NULL, 1)),
		.again = group_cache(SIZE, 0, NULL),
	};

	(void)arg;
	while (bench_keep_running(st)) {
		turns_run(&turns, loops, BENCH_ARRAY_SIZE(loops), &c);
		bench_set_iteration_time(st, turns_ns(&turns, 1, GROUP_PAIRS) * 1e-9);
		bench_set_counter(st, "without_ns", turns_ns(&turns, 0, GROUP_PAIRS), 0);
		bench_set_counter(st, "with_ns", turns_ns(&turns, 1, GROUP_PAIRS), 0);
		bench_set_counter(st, "with_over_without", group_ratio(&turns, 1, 0, GROUP_PAIRS),
				  0);
		bench_set_counter(st, "again_over_without", group_ratio(&turns, 2, 0, GROUP_PAIRS),
				  0);
	}
}

void group_private_register(void)
{
	static const char *const names[] = {"size"};
	struct bench *b = group_row("group/private", private, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, SIZE);
}
