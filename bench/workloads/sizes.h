/* SPDX-License-Identifier: MIT */
/*
 * For workloads whose objects are of several sizes: a pool for each, so that an allocator of one
 * size is asked as its users ask it.
 */
#ifndef BENCH_WORKLOADS_SIZES_H
#define BENCH_WORKLOADS_SIZES_H

#include "workloads/workload.h"

#define SIZES 6

/** SIZES_POOLS - Initialiser of an array of #SIZES pools, each for up to @n live objects. */
#define SIZES_POOLS(n)                                                                             \
	{                                                                                          \
		{.size = 16, .objects = (n)}, {.size = 32, .objects = (n)},                        \
			{.size = 64, .objects = (n)}, {.size = 128, .objects = (n)},               \
			{.size = 256, .objects = (n)}, {.size = 512, .objects = (n)},              \
	}

/** struct sizes_object - An object and which of the pools it is of. */
struct sizes_object {
	void *p;
	size_t pool;
};

/** sizes_take - An object of a random one of the pools, one word of it written. */
static inline struct sizes_object sizes_take(const peer_pool *pools, uint64_t random)
{
	struct sizes_object o = {.pool = (random >> 32) % SIZES};

	o.p = bench_take(pools[o.pool]);
	workload_touch(o.p, (size_t)(uintptr_t)o.p);
	return o;
}

/** sizes_give - Free it, after a look whether what was written is still there. */
static inline void sizes_give(const peer_pool *pools, struct sizes_object o)
{
	if (*(volatile size_t *)o.p != (size_t)(uintptr_t)o.p)
		bench_die("an object was handed out twice");
	peer_free(pools[o.pool], o.p);
}

#endif /* BENCH_WORKLOADS_SIZES_H */
