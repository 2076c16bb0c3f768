/* SPDX-License-Identifier: MIT */
/*
 * NUMA nodes of the machine. The only file that knows hwloc is topo.c.
 *
 * A node, for the library, is one that has memory which the process may use; they are numbered from 0. A CPU belongs
 * to such a node: its own, or the nearest where its own has none. Nodes with memory and no CPU are told apart, too:
 * nobody is at home there, so only who asks for them by number, or finds nothing nearer, gets their memory.
 *
 * Read once and not changed, but for the node of a CPU that was not there yet: who runs on one asks the system, and
 * the answer is kept (any context, one byte, the same from whoever writes it). What a cpuset allows is read at the
 * start; when it changes later placement goes on with the nodes that were allowed then, and the system moves pages, or
 * refuses, as it sees fit.
 */
#ifndef BMA_BASE_TOPO_H
#define BMA_BASE_TOPO_H

#include "os.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BMA__NODES_MAX 64
/* Of a CPU or of a node of the operating system: not known. */
#define BMA__NODE_UNKNOWN 0xffu

struct bma__topo {
	/* Nodes that are told apart, numbered from 0; 1 where the machine has no more. */
	uint32_t nodes;
	/* Of these, those with CPUs on which the process may run. */
	uint32_t nodes_with_cpus;
	/* Is it this machine, or a description of another one? */
	bool real;
	uint32_t cpus;
	/* Node of each CPU, indexed by CPU number up to @cpus; NULL: all are node 0. */
	_Atomic uint8_t *node_of_cpu;
	/* The number that the operating system knows each by. */
	uint16_t os_node[BMA__NODES_MAX];
	/* The same the other way round, or the nearest one with memory. */
	uint8_t node_of_os[BMA__OS_NODES_MAX];
	/* All nodes by distance from each, itself first. */
	uint8_t nearest[BMA__NODES_MAX][BMA__NODES_MAX];
};

extern struct bma__topo bma__topo;

/* Read the topology for CPU numbers below @cpus. Never fails: what cannot be read is one node. */
void bma__topo_init(uint32_t cpus);

/* Node of a CPU; 0 for one that is not known. Any context. */
static inline uint32_t bma__topo_node(uint32_t cpu)
{
	uint32_t node =
		bma__topo.node_of_cpu && cpu < bma__topo.cpus
			? atomic_load_explicit(&bma__topo.node_of_cpu[cpu], memory_order_relaxed)
			: 0;

	return node == BMA__NODE_UNKNOWN ? 0 : node;
}

/* Node that the operating system knows as @os, or BMA__NODE_UNKNOWN. Any context. */
static inline uint32_t bma__topo_node_by_os(uint32_t os)
{
	return os < BMA__OS_NODES_MAX ? bma__topo.node_of_os[os] : BMA__NODE_UNKNOWN;
}

uint32_t bma__topo_node_asked(void);

/* Node of the CPU that runs this; with one node nobody asks. A hint: the thread may be moved at once. Any context. */
static inline uint32_t bma__topo_node_now(void)
{
	return bma__topo.nodes == 1 ? 0 : bma__topo_node_asked();
}

/* Nodes from the nearest of @node on, itself first. */
#define bma__topo_for_each_from(node, n, i)                                                        \
	for (uint32_t i = 0, n; i < bma__topo.nodes && (n = bma__topo.nearest[node][i], true); i++)

#endif /* BMA_BASE_TOPO_H */
