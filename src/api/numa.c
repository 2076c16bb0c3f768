/* SPDX-License-Identifier: MIT */
/* The public calls about NUMA nodes. */
#include "api.h"

#include <errno.h>
#include <string.h>

static void *invalid(unsigned int flags)
{
	if (flags & BMA_SLEEP)
		errno = EINVAL;
	return NULL;
}

static void *alloc(struct bma_cache *cache, const struct bma__numa_want *want)
{
	void *obj;

	if (cache->owner)
		return bma__owned_alloc_on(cache, want);
	obj = bma__cache_alloc_on(cache->engine, want);
	if (obj)
		return bma__cache_taken(cache, obj, "bma_cache_alloc_node");
	return want->sleep ? NULL : bma__cache_none(cache->engine);
}

void *bma_cache_alloc_node(struct bma_cache *cache, unsigned int node, unsigned int flags)
{
	const struct bma__numa_want want = {
		.node = bma__topo_node_by_os(node),
		.sleep = flags & BMA_SLEEP,
		.only = flags & BMA_THIS_NODE,
	};
	void *obj;

	/* A node without memory has a nearest one instead, which is not what was asked for. */
	if (want.node >= bma__topo.nodes || bma__topo.os_node[want.node] != node ||
	    !bma__engine_local(cache->engine) || (want.only && !want.sleep))
		return invalid(flags);
	obj = alloc(cache, &want);
	if (obj && flags & BMA_ZERO)
		memset(obj, 0, cache->engine->size);
	return obj;
}

int bma_numa_node_of(const void *obj)
{
	const struct bma__slab *slab = bma__is_ready() ? bma__chunk_slab(obj) : NULL;

	return slab && slab->node < bma__topo.nodes ? (int)bma__topo.os_node[slab->node] : -1;
}
