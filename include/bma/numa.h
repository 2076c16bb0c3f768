/* SPDX-License-Identifier: MIT */
/*
 * Memory and NUMA nodes.
 *
 * By default an object's memory is of the node of the CPU that asks for it, as far as that node has any: slabs are made of memory that the system is asked
 * to take from there (mbind(2), preferred), each node has a depot of its own, and freed objects find their way home to their slab, whoever freed them. Where
 * the system refuses (a container's filter, say) the library goes on without placement, and says so once.
 *
 * Nodes are named by the numbers of the operating system, as numactl(8) shows them. A node without memory has none to give: its CPUs
 * are served by the nearest that has. With one node all calls work, and do what they do without.
 */
#ifndef BMA_NUMA_H
#define BMA_NUMA_H

#include <bma/config.h>

/* A line of a list of figures as a field. */
#define BMA__FIGURE(name, unit, text) uint64_t name;

BMA_BEGIN_DECLS

struct bma_cache;
struct bma_heap;

/**
 * enum bma_numa_policy - Where the slabs of a cache or heap are to be.
 * @BMA_NUMA_LOCAL: on the node of the CPU that asks.
 * @BMA_NUMA_NODE: all on one node.
 * @BMA_NUMA_INTERLEAVE: one after the other on each node, for tables that all nodes use; large objects of heaps page by page.
 * @BMA_NUMA_NONE: where the system puts them, by the policy of the thread that touches them first.
 */
enum bma_numa_policy {
	BMA_NUMA_LOCAL,
	BMA_NUMA_NODE,
	BMA_NUMA_INTERLEAVE,
	BMA_NUMA_NONE,
};

/**
 * BMA_NUMA_STRICT - There or nowhere: memory that the node does not have is not taken from another. With %BMA_NUMA_LOCAL and %BMA_NUMA_NODE. Slabs are touched, page
 * by page, when they are made, and looked at; what lies elsewhere is given back, and the call fails: NULL, ENOMEM, counted by node. No process
 * is killed for it. What the system moves later (swap, an administrator) is not seen. An object that was freed on another node may be handed out there
 * until it has found home; %BMA_THIS_NODE looks at each object.
 */
#define BMA_NUMA_STRICT 1u

/**
 * struct bma_numa - Placement of a cache or heap. All zeros: %BMA_NUMA_LOCAL.
 *
 * @policy: an enum bma_numa_policy; @node: which, with %BMA_NUMA_NODE, else 0; @flags: 0 or %BMA_NUMA_STRICT.
 */
struct bma_numa {
	uint32_t policy;
	uint32_t node;
	uint32_t flags;
};

/** BMA_THIS_NODE - For the calls below, with %BMA_SLEEP: on this node or not at all. */
#define BMA_THIS_NODE 4u

/**
 * bma_cache_alloc_node - Take an object of a given node.
 * @cache: one with %BMA_NUMA_LOCAL, not of per-CPU objects. @node: number of the node. @flags: %BMA_SLEEP, %BMA_ZERO, %BMA_THIS_NODE.
 *
 * From the node's depot, else with %BMA_SLEEP from its slabs, else from the nearest node that has one. With %BMA_THIS_NODE it is from a slab of that node, and
 * its pages were looked at: they are there when the call returns.
 *
 * Context: any without %BMA_SLEEP, else may sleep. Thread-safe. Costs more than bma_cache_alloc(): an exchange with a depot each.
 * Returns: the object, or NULL; errno is set with %BMA_SLEEP only: EINVAL  no such node, one without memory, another policy,
 * or per-CPU objects (without %BMA_SLEEP just NULL; so is %BMA_THIS_NODE without it); ENOMEM, EDQUOT as bma_cache_alloc_flags(), ENOMEM also if the node has no memory left.
 */
BMA_API void *bma_cache_alloc_node(struct bma_cache *cache, unsigned int node, unsigned int flags);

/** bma_heap_alloc_node - The same from a heap; large objects, too. @size: bytes. Context, returns: as bma_cache_alloc_node(), and bma_heap_alloc_flags(). */
BMA_API void *bma_heap_alloc_node(struct bma_heap *heap, size_t size, unsigned int node,
				  unsigned int flags);

/**
 * bma_numa_node_of - The node that the memory of an object is meant to be on.
 * @obj: an object of a cache or heap.
 *
 * Context: any. Returns: its number, or -1 if @obj is none of the library's, or its cache's policy does not say.
 */
BMA_API int bma_numa_node_of(const void *obj);

/* One node, as in <bma/stats.h>. */
#define BMA_NODE_FIGURES(F)                                                                        \
	F(node, "number", "of the node")                                                           \
	F(cpus, "CPUs", "that it serves, as far as they are known")                                \
	F(slab_bytes, "bytes", "of slabs and large objects that are meant to be there")            \
	F(local, "magazines", "that CPUs of this node took from its depots")                       \
	F(remote, "magazines",                                                                     \
	  "that they took from those of other nodes, because theirs were empty")                   \
	F(home_returns, "objects",                                                                 \
	  "that came back from other nodes, with their magazine to a depot or to their slab by a " \
	  "drain")                                                                                 \
	F(elsewhere, "slabs",                                                                      \
	  "that were meant to be there and whose first page the system put elsewhere")             \
	F(refused, "allocations", "that were to be there or nowhere and got nothing")

/** struct bma_node_stats - One node. The fields: BMA_NODE_FIGURES. */
struct bma_node_stats {
	BMA_NODE_FIGURES(BMA__FIGURE)
};

/**
 * bma_node_stats_get - Figures of one node.
 * @nth: 0 for the first node that has memory, and so on.
 * @stats: where they go; @size: sizeof(struct bma_node_stats) as the caller knows it.
 *
 * Context: may sleep. Returns: 0, -EINVAL, or -ENOENT if there are not so many nodes: none before the first cache, heap or group was made.
 */
BMA_API int bma_node_stats_get(unsigned int nth, struct bma_node_stats *stats, size_t size);

BMA_END_DECLS

#endif /* BMA_NUMA_H */
