/* SPDX-License-Identifier: MIT */
/* A plugin with inlined calls: its sequences' descriptors go away with it. */
#include <bma/bma.h>

__attribute__((visibility("default"))) int plugin_work(struct bma_cache *cache);

/* All exits of the inlined calls: the hit, and the slow ones of an empty and of a full magazine. */
int plugin_work(struct bma_cache *cache)
{
	void *objs[400];
	int n = 0;

	while (n < 400 && (objs[n] = bma_cache_alloc(cache)))
		n++;
	for (int i = 0; i < n; i++)
		bma_cache_free(cache, objs[i]);
	return n;
}
