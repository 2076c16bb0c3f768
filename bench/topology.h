/* SPDX-License-Identifier: MIT */
/* The CPUs and NUMA nodes of this machine, and the order in which threads get the CPUs. */
#ifndef BENCH_TOPOLOGY_H
#define BENCH_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

/** TOPOLOGY_MAX_CPUS - As many as a cpu_set_t has. */
#define TOPOLOGY_MAX_CPUS 1024
/** TOPOLOGY_MAX_NODES - As many as Linux can be built for. */
#define TOPOLOGY_MAX_NODES 1024
/** TOPOLOGY_MAX_PAIRS - Pairs of nodes that are measured, at most. */
#define TOPOLOGY_MAX_PAIRS 8

/**
 * struct topology_cpu - One CPU.
 *
 * @os: the number that the system knows it by; all others count from 0 in hwloc's order, in which
 * what is near has neighbouring numbers.
 * @core: a core of its own, where the machine does not tell. @sibling: its number among the CPUs of
 * its core. @package, @node: -1 if the machine does not tell.
 */
struct topology_cpu {
	int os;
	int core;
	int sibling;
	int package;
	int node;
};

/**
 * struct topology_node - One NUMA node.
 *
 * @os: the number that the system knows it by. @cpus, @cores: 0 if there is only memory in it, or
 * this process may use none of its CPUs. @memory: in bytes.
 */
struct topology_node {
	int os;
	int cpus;
	int cores;
	uint64_t memory;
};

/**
 * struct topology - What this process may use.
 *
 * @this_system: if not, hwloc was told to describe another machine, all of it.
 * @smt: CPUs of the core that has most.
 * @cpu: in the order in which threads get them: first one CPU of each core, then the second ones,
 * and so on; within these, node after node and package after package.
 */
struct topology {
	bool this_system;
	int packages;
	int cores;
	int smt;
	int nr_cpus;
	int nr_nodes;
	struct topology_cpu cpu[TOPOLOGY_MAX_CPUS];
	struct topology_node node[TOPOLOGY_MAX_NODES];
};

/** struct topology_pair - Two nodes, both with CPUs. */
struct topology_pair {
	int from;
	int to;
};

/**
 * topology_get - Read on the first call, which must come before any other thread is started.
 *
 * hwloc is used in a child process: the allocators that are measured are also the malloc() of this
 * one, and would otherwise begin with a heap full of holes. Ends the process if there is no answer.
 */
const struct topology *topology_get(void);

/** topology_of_node - The place in topology.cpu of the CPU number @i of @node, or -1. */
int topology_of_node(const struct topology *t, int node, int i);

/**
 * topology_pairs - Which pairs of nodes are measured: neighbours in hwloc's order, both ways.
 *
 * Returns: how many, %TOPOLOGY_MAX_PAIRS at most; none if fewer than two nodes have CPUs.
 */
int topology_pairs(const struct topology *t, struct topology_pair *pairs);

/** topology_source - What told hwloc to describe another machine: an environment variable. */
const char *topology_source(void);

#endif /* BENCH_TOPOLOGY_H */
