/* SPDX-License-Identifier: MIT */
/*
 * Sixteen groups that take turns on one slot: pairs of merged caches of one size, so of the same memory, each with a group of its own, against the same loop over sixteen times the same
 * cache. Exported calls: what they add is less than what the headers do, so the ratio is the larger one.
 */
#include "group.h"

#define SIZE 64

struct caches {
	struct bma_cache *one[GROUP_ALTERNATING], *sixteen[GROUP_ALTERNATING];
};

static uint64_t one(void *arg)
{
	return group_exported_alternating(((struct caches *)arg)->one);
}

static uint64_t sixteen(void *arg)
{
	return group_exported_alternating(((struct caches *)arg)->sixteen);
}

static uint64_t (*const loops[])(void *) = {one, sixteen};

static void alternating(struct bench_state *st, void *arg)
{
	static struct turns turns;
	struct caches c;

	(void)arg;
	for (size_t i = 0; i < GROUP_ALTERNATING; i++) {
		c.sixteen[i] = group_cache(SIZE, BMA_CACHE_MERGE, group_made(NULL, 1));
		c.one[i] = c.sixteen[0];
	}
	while (bench_keep_running(st)) {
		turns_run(&turns, loops, BENCH_ARRAY_SIZE(loops), &c);
		bench_set_iteration_time(st, turns_ns(&turns, 1, GROUP_PAIRS) * 1e-9);
		bench_set_counter(st, "one_ns", turns_ns(&turns, 0, GROUP_PAIRS), 0);
		bench_set_counter(st, "sixteen_ns", turns_ns(&turns, 1, GROUP_PAIRS), 0);
		bench_set_counter(st, "sixteen_over_one", group_ratio(&turns, 1, 0, GROUP_PAIRS),
				  0);
	}
}

void group_sixteen_register(void)
{
	static const char *const names[] = {"size"};
	struct bench *b = group_row("group/sixteen", alternating, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, SIZE);
}
