/* SPDX-License-Identifier: MIT */
/* The headers are found, they are those of the library, and a cache works. */
#include <bma/bma.h>
#include <urcu/urcu-qsbr.h>

int main(void)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof attr, .size = 24, .rcu = &urcu_qsbr_flavor};
	struct bma_cache *cache = bma_cache_create(&attr);
	double *point = cache ? bma_cache_alloc_flags(cache, BMA_SLEEP | BMA_ZERO) : NULL;

	if (!point || point[0] != 0 || bma_version() != BMA_VERSION)
		return 1;
	bma_cache_free_rcu(cache, point);
	return bma_rcu_barrier(cache) || bma_cache_destroy(cache);
}
