/* SPDX-License-Identifier: MIT */
/*
 * Where memory is on a NUMA machine: asking the system for a node's memory, and seeing whether it gave it.
 *
 * All placement is "preferred" to the system, also what is strict to us: a strict binding that cannot be met is met by the
 * system's out-of-memory killer, in the page fault of whoever comes first. So who wants to be sure touches the pages and then asks
 * where they are; what is elsewhere is given back, and the call fails.
 *
 * A node on which a page was not to be had is "full" for a tenth of a second: meanwhile others' free memory is taken
 * before new memory is asked for, see bma__engine_carve().
 *
 * Counters are any context's and relaxed; they say what happened, nothing follows from them.
 */
#ifndef BMA_PAGE_NODE_H
#define BMA_PAGE_NODE_H

#include "base/base.h"

/* In place of a node: one copy for each slot; spread over all nodes; where the system puts it. */
#define BMA__NODE_PERCPU BMA__NODES_MAX
#define BMA__NODE_INTERLEAVE (BMA__NODES_MAX + 1)
#define BMA__NODE_ANY (BMA__NODES_MAX + 2)
#define BMA__NODE_KINDS (BMA__NODES_MAX + 3)

struct bma__node {
	_Atomic uint64_t full_until __attribute__((aligned(BMA_CACHELINE))); /* ns */
	_Atomic uint64_t slab_bytes; /* of slabs, and large objects, that are meant to be there */
	_Atomic uint64_t elsewhere;  /* slabs of which the first page was put elsewhere */
	_Atomic uint64_t
		refused; /* allocations that were to be there or nowhere, and got nothing */
	_Atomic uint64_t home_returns; /* objects that came home from other nodes */
	/* Of engines that are gone, see struct bma__depot. */
	_Atomic uint64_t local, remote;
};

extern struct bma__node bma__nodes[BMA__NODES_MAX];
/* Ranges that the system would not place, for another reason than memory. */
extern _Atomic uint64_t bma__node_bind_refused;

/* Ask for @bytes at @addr, not touched yet, to be on @node (also one of the kinds above, but that of copies). May sleep. */
void bma__node_bind(void *addr, size_t bytes, uint32_t node);

/*
 * Touch the first page of the @bytes at @addr, @all: each page, where they are the caller's alone, and see where it is; one that is not on @node makes the node full. With
 * one node, or where the system does not say, all is well. Returns false if one is elsewhere. May sleep.
 */
bool bma__node_settle(void *addr, size_t bytes, uint32_t node, bool all);

/* So many bytes more, or less, are meant to be on @node; kinds are not counted. */
static inline void bma__node_count(uint32_t node, int64_t bytes)
{
	if (node < BMA__NODES_MAX)
		atomic_fetch_add_explicit(&bma__nodes[node].slab_bytes, (uint64_t)bytes,
					  memory_order_relaxed);
}

/* Was memory of @node not to be had a moment ago? */
bool bma__node_is_full(uint32_t node);

#endif /* BMA_PAGE_NODE_H */
