/* SPDX-License-Identifier: MIT */
/* A plugin with a library of its own, the static one: what keeps its text mapped is what that asks of the linker. */
#include <bma/bma.h>

__attribute__((visibility("default"))) int plugin_own(void);

/* A deferred free, so that threads have something to come back for after the plugin was let go. */
int plugin_own(void)
{
	struct bma_cache_attr attr = {.attr_size = sizeof attr, .size = 64};
	struct bma_cache *cache = bma_cache_create(&attr);
	int n = 0;

	if (!cache)
		return 0;
	for (; n < 1000; n++) {
		void *obj = bma_cache_alloc_flags(cache, BMA_SLEEP);

		if (!obj)
			return 0;
		bma_cache_free_rcu(cache, obj);
	}
	return n;
}
