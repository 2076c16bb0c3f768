/* SPDX-License-Identifier: MIT */
/* NUMA nodes of the machine. The only file that knows hwloc is topo.c. */
#ifndef BMA_BASE_TOPO_H
#define BMA_BASE_TOPO_H

#include <sched.h>
#include <stdint.h>

#define BMA__NODES_MAX 64

struct bma__topo {
	/* Nodes that are told apart, numbered from 0; 1 where the machine has no more. */
	uint32_t nodes;
	/* The number that the operating system knows each by. */
	uint32_t os_node[BMA__NODES_MAX];
	/* Node of each CPU, indexed by CPU number up to @cpus; NULL: all are node 0. */
	uint8_t *node_of_cpu;
	uint32_t cpus;
};

extern struct bma__topo bma__topo;

/* Read the topology for CPU numbers below @cpus. Never fails: what cannot be read is one node. */
void bma__topo_init(uint32_t cpus);

static inline uint32_t bma__topo_node(uint32_t cpu)
{
	return bma__topo.node_of_cpu && cpu < bma__topo.cpus ? bma__topo.node_of_cpu[cpu] : 0;
}

/* Node of the CPU that runs this; with one node nobody asks. Any context. */
static inline uint32_t bma__topo_node_now(void)
{
	int cpu;

	if (bma__topo.nodes == 1)
		return 0;
	cpu = sched_getcpu();
	return cpu < 0 ? 0 : bma__topo_node((uint32_t)cpu);
}

#endif /* BMA_BASE_TOPO_H */
