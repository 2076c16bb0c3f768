/* SPDX-License-Identifier: MIT */
/*
 * Objects of a node that the caller names: see <bma/numa.h>.
 *
 * A magazine of the node's depot is in hand while one object is taken out of it, under a ticket, and goes back there; if the magazine is
 * mixed, one of the node's objects is taken, and where it has none it goes back whole.
 */
#ifndef BMA_CACHE_NUMA_H
#define BMA_CACHE_NUMA_H

#include "engine.h"

struct bma__numa_want {
	uint32_t node; /* our number */
	bool sleep;    /* the caller may: slabs are taken from, too */
	bool only;     /* there or nowhere; the caller may sleep */
};

/* Can a cache have this placement? What is wrong with it, or NULL. After the topology is known. */
const char *bma__numa_wrong(const struct bma_numa *numa);
static inline bool bma__numa_is_default(const struct bma_numa *numa)
{
	return !(numa->policy | numa->node | numa->flags);
}

/* An object as @want says, or NULL. Any context, unless that says it may sleep. */
void *bma__numa_alloc(struct bma__engine *e, const struct bma__numa_want *want);

/* The caller's own node for large objects of @numa: one of ours, or a kind (page/node.h). */
uint32_t bma__numa_node_for_large(const struct bma_numa *numa);

/* Counters of an engine that is going are added to those of nodes. */
void bma__numa_engine_gone(const struct bma__engine *e);
/* Magazines got in a depot by its own node's CPUs. */
uint64_t bma__numa_local(const struct bma__depot *d);

#endif /* BMA_CACHE_NUMA_H */
