/* SPDX-License-Identifier: MIT */
/* What does a group cost a heap that shares its classes? Pairs of 64 bytes, known to the compiler, told when they are freed; and malloc()'s. */
#include "group.h"

struct heaps {
	struct bma_heap *without, *with;
};

static uint64_t inlined_without(void *arg)
{
	return group_inlined_heap_pairs(((struct heaps *)arg)->without);
}

static uint64_t inlined_with(void *arg)
{
	return group_inlined_heap_pairs(((struct heaps *)arg)->with);
}

static uint64_t exported_without(void *arg)
{
	return group_exported_heap_pairs(((struct heaps *)arg)->without);
}

static uint64_t exported_with(void *arg)
{
	return group_exported_heap_pairs(((struct heaps *)arg)->with);
}

static uint64_t malloc_pairs(void *arg)
{
	uint64_t t = host_tick_begin();

	(void)arg;
	for (int i = 0; i < GROUP_PAIRS; i++)
		free(bench_use(malloc(GROUP_HEAP_SIZE)));
	return host_tick_end() - t;
}

enum { INLINED, INLINED_WITH, EXPORTED, EXPORTED_WITH };

static uint64_t (*const loops[])(void *) = {inlined_without, inlined_with, exported_without,
					    exported_with, malloc_pairs};
static const char *const figures[] = {"inlined_ns", "inlined_with_ns", "exported_ns",
				      "exported_with_ns", "malloc_ns"};

static struct bma_heap *made(struct bma_group *group)
{
	struct bma_heap_attr attr = {.attr_size = sizeof(attr), .group = group};
	struct bma_heap *heap;

	host_unpin();
	heap = bma_heap_create(&attr);
	if (!heap)
		bench_die("bma_heap_create failed");
	host_pin(0);
	bma_heap_free(heap, bma_heap_alloc_flags(heap, GROUP_HEAP_SIZE, BMA_SLEEP));
	return heap;
}

static void heap(struct bench_state *st, void *arg)
{
	static struct turns turns;
	struct heaps h = {.without = made(NULL), .with = made(group_made(NULL, 1))};

	(void)arg;
	while (bench_keep_running(st)) {
		turns_run(&turns, loops, BENCH_ARRAY_SIZE(loops), &h);
		for (size_t i = 0; i < BENCH_ARRAY_SIZE(loops); i++)
			bench_set_counter(st, figures[i], turns_ns(&turns, i, GROUP_PAIRS), 0);
		bench_set_iteration_time(st, turns_ns(&turns, EXPORTED_WITH, GROUP_PAIRS) * 1e-9);
		bench_set_counter(st, "exported_over_exported",
				  group_ratio(&turns, EXPORTED_WITH, EXPORTED, GROUP_PAIRS), 0);
		bench_set_counter(st, "inlined_over_inlined",
				  group_ratio(&turns, INLINED_WITH, INLINED, GROUP_PAIRS), 0);
	}
}

void group_heap_register(void)
{
	static const char *const names[] = {"size"};
	struct bench *b = group_row("group/heap", heap, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, GROUP_HEAP_SIZE);
}
