/* SPDX-License-Identifier: MIT */
/* Groups, caches that they pay for, and rows. */
#include "group.h"

void group_no_memory(void)
{
	bench_die("a cache has no object to give");
}

struct bma_group *group_made(struct bma_group *parent, unsigned int levels)
{
	while (levels--) {
		parent = bma_group_create(parent, NULL);
		if (!parent)
			bench_die("bma_group_create failed");
	}
	return parent;
}

uint64_t group_current(struct bma_group *group)
{
	struct bma_group_stats stats;

	if (bma_group_stat(group, &stats, sizeof(stats)))
		bench_die("bma_group_stat failed");
	return stats.current;
}

struct bma_cache *group_cache(size_t size, uint64_t flags, struct bma_group *group)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof(attr), .size = size, .flags = flags, .group = group};
	struct bma_cache *cache;

	/* No helper thread of the library is to inherit the binding of the thread that is measured. */
	host_unpin();
	cache = bma_cache_create(&attr);
	if (!cache)
		bench_die("bma_cache_create failed");
	host_pin(0);
	bma_cache_free(cache, bma_cache_alloc_flags(cache, BMA_SLEEP));
	return cache;
}

struct bench *group_row(const char *name, bench_fn fn, void *arg)
{
	struct bench *b = bench_register(name, fn, arg);

	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
	return b;
}

double group_ratio(struct turns *turns, size_t top, size_t bottom, double calls)
{
	return turns_ns(turns, top, calls) / turns_ns(turns, bottom, calls);
}
