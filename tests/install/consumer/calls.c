/* SPDX-License-Identifier: MIT */
/*
 * The same calls as C and as C++, each standard: hot ones, which are inlined, and others. Compiled with all warnings as
 * errors, with and without link-time optimisation; what it returns says which call went wrong.
 */
#include <bma/bma.h>

#include <string.h>

static int caches(void)
{
	struct bma_cache_attr attr;
	struct bma_cache *cache;
	void *objs[300];
	int n = 0;

	memset(&attr, 0, sizeof attr);
	attr.attr_size = sizeof attr;
	attr.size = 40;
	cache = bma_cache_create(&attr);
	if (!cache || bma_cache_size(cache) != 40)
		return 1;
	/* So many that the slow half is called, too. */
	for (; n < 300; n++) {
		objs[n] = bma_cache_alloc(cache);
		if (!objs[n])
			objs[n] = bma_cache_alloc_flags(cache, BMA_SLEEP);
		if (!objs[n])
			return 2;
		memset(objs[n], n, 40);
	}
	while (n-- > 0) {
		const unsigned char *bytes = (const unsigned char *)objs[n];

		if (bytes[0] != (unsigned char)n || bytes[39] != (unsigned char)n)
			return 3;
		if (n & 1)
			bma_cache_free(cache, objs[n]);
		else
			bma_cache_free_rcu(cache, objs[n]);
	}
	return bma_rcu_barrier(cache) || bma_cache_destroy(cache) ? 4 : 0;
}

static int heaps(void)
{
	struct bma_heap *heap = bma_heap_create(NULL);
	uint64_t *number, *other;

	if (!heap)
		return 5;
	number = (uint64_t *)bma_heap_alloc_flags(heap, 100, BMA_SLEEP | BMA_ZERO);
	other = (uint64_t *)bma_heap_alloc(heap, sizeof *other);
	if (!number || *number || bma_heap_usable_size(number) < 100)
		return 6;
	bma_heap_free_sized(heap, number, 100);
	bma_heap_free(heap, other);
	return bma_heap_destroy(heap) ? 7 : 0;
}

static int percpu(void)
{
	struct bma_heap_attr attr;
	struct bma_heap *heap;
	uint64_t *count;

	memset(&attr, 0, sizeof attr);
	attr.attr_size = sizeof attr;
	attr.flags = BMA_HEAP_PERCPU;
	heap = bma_heap_create(&attr);
	count = heap ? (uint64_t *)bma_heap_alloc_flags(heap, sizeof *count, BMA_SLEEP) : NULL;
	if (!count)
		return 8;
	bma_this_cpu_add(count, 2);
	bma_this_cpu_add(count, 40);
	if (bma_percpu_sum_u64(count) != 42)
		return 9;
	bma_heap_free(heap, count);
	return bma_heap_destroy(heap) ? 10 : 0;
}

int main(void)
{
	int wrong = bma_version() != BMA_VERSION ? 11 : caches();

	if (!wrong)
		wrong = heaps();
	if (!wrong)
		wrong = percpu();
	return wrong ? wrong : bma_shutdown();
}
