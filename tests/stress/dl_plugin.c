/* SPDX-License-Identifier: MIT */
/* The plugin of dl.c: inlined calls, whose sequences and descriptors go away with it. */
#include <bma/bma.h>

#include <stdatomic.h>

#include "dl_plugin.h"

#define HELD 0xd1
#define MOST 400

__attribute__((visibility("default"))) int plugin_work(struct bma_cache *cache, uint64_t r);

/* All exits of the inlined calls: hits, and the slow ones of empty and of full magazines. */
int plugin_work(struct bma_cache *cache, uint64_t r)
{
	_Atomic uint64_t *objs[MOST];
	int n = 0, most = 1 + (int)(r % (r >> 32 & 7 ? 8 : MOST));

	while (n < most && (objs[n] = bma_cache_alloc(cache))) {
		if (atomic_exchange(objs[n++], HELD) == HELD)
			return PLUGIN_TWICE;
	}
	for (int i = 0; i < n; i++) {
		if (atomic_exchange(objs[i], 0) != HELD)
			return PLUGIN_CHANGED;
		if (r >> (33 + (i & 15)) & 1)
			bma_cache_free(cache, (void *)(uintptr_t)objs[i]);
		else
			bma_cache_free_rcu(cache, (void *)(uintptr_t)objs[i]);
	}
	return n;
}
