/* SPDX-License-Identifier: MIT */
/* The map: a merged cache, whose payer is charged for each object, whoever takes it. */
#include "map.h"

#include <string.h>
#include <unistd.h>

struct map pinned;

struct bma_group_stats stat_of(struct bma_group *group)
{
	struct bma_group_stats stats;

	CHECK(!bma_group_stat(group, &stats, sizeof stats));
	return stats;
}

void *map_make(void *group)
{
	struct bma_cache_attr attr = {.attr_size = sizeof attr,
				      .name = "flows",
				      .size = ENTRY_SIZE,
				      .flags = BMA_CACHE_MERGE,
				      .group = group};

	pinned.cache = bma_cache_create(&attr);
	if (!pinned.cache)
		err(1, "a map");
	for (unsigned int i = 0; i < ENTRIES; i++) {
		pinned.entry[i] = bma_cache_alloc_flags(pinned.cache, BMA_SLEEP);
		CHECK(pinned.entry[i]);
	}
	return NULL;
}

/* May find nothing, as any call that cannot wait: then it goes without. */
void map_sample(int number)
{
	unsigned int n = atomic_load(&pinned.samples);
	void *sample = n < SAMPLES ? bma_cache_alloc(pinned.cache) : NULL;

	(void)number;
	if (sample) {
		pinned.sample[n] = sample;
		atomic_store(&pinned.samples, n + 1);
	} else {
		atomic_fetch_add(&pinned.missed, 1);
	}
}

/* Knows nothing of who pays. While that changes an any-context call may find nothing; one that may sleep waits. */
void *map_writer(void *unused)
{
	for (unsigned int i = 0; !atomic_load(&pinned.stop); i++) {
		void *fresh = bma_cache_alloc(pinned.cache);

		if (!fresh)
			fresh = bma_cache_alloc_flags(pinned.cache, BMA_SLEEP);
		CHECK(fresh);
		memset(fresh, (int)i, ENTRY_SIZE);
		bma_cache_free(pinned.cache, atomic_exchange(&pinned.entry[i % ENTRIES], fresh));
		atomic_fetch_add(&pinned.replaced, 1);
	}
	return unused;
}

void map_wait_for_writer(void)
{
	unsigned long from = atomic_load(&pinned.replaced);

	while (atomic_load(&pinned.replaced) < from + 10000)
		usleep(100);
}

void map_free(void)
{
	bma_cache_free_bulk(pinned.cache, pinned.sample, atomic_load(&pinned.samples));
	for (unsigned int i = 0; i < ENTRIES; i++)
		bma_cache_free(pinned.cache, atomic_load(&pinned.entry[i]));
}
