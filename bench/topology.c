/* SPDX-License-Identifier: MIT */
/* See topology.h. hwloc's objects are read into plain numbers and dropped. */
#include "topology.h"

#include <errno.h>
#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* exit() would run what the measured allocators do at exit, for a child twice. */
static __attribute__((noreturn)) void die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	_exit(1);
}

/* Marks what was seen: returns whether it is new. */
static bool first(hwloc_bitmap_t seen, int index)
{
	if (index < 0 || hwloc_bitmap_isset(seen, (unsigned int)index))
		return false;
	hwloc_bitmap_set(seen, (unsigned int)index);
	return true;
}

static int ancestor(hwloc_topology_t h, hwloc_obj_t pu, hwloc_obj_type_t type)
{
	hwloc_obj_t obj = hwloc_get_ancestor_obj_by_type(h, type, pu);

	return obj ? (int)obj->logical_index : -1;
}

/* hwloc gives a node that has no CPUs all those of what it is attached to, often of the machine. */
static bool has_none(hwloc_topology_t h, hwloc_obj_t node)
{
	hwloc_obj_t other = NULL;

	while ((other = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_NUMANODE, other))) {
		if (!hwloc_bitmap_iszero(other->cpuset) &&
		    hwloc_bitmap_isincluded(other->cpuset, node->cpuset) &&
		    !hwloc_bitmap_isequal(other->cpuset, node->cpuset))
			return true;
	}
	return false;
}

/* The first of those that have the same CPUs: the usual memory comes before the fast or large. */
static int node_of(hwloc_topology_t h, hwloc_obj_t pu)
{
	hwloc_obj_t node = NULL;

	while ((node = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_NUMANODE, node))) {
		if (hwloc_bitmap_isset(node->cpuset, pu->os_index) && !has_none(h, node))
			return (int)node->logical_index;
	}
	return -1;
}

static void read_nodes(struct topology *t, hwloc_topology_t h)
{
	hwloc_obj_t node = NULL;

	while ((node = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_NUMANODE, node))) {
		if (t->nr_nodes == TOPOLOGY_MAX_NODES)
			die("more NUMA nodes than this benchmark knows");
		t->node[t->nr_nodes++] = (struct topology_node){
			.os = (int)node->os_index,
			.memory = node->attr->numanode.local_memory,
		};
	}
}

static void read_cpu(struct topology *t, hwloc_topology_t h, hwloc_obj_t pu)
{
	struct topology_cpu *cpu = &t->cpu[t->nr_cpus];

	if (t->nr_cpus++ == TOPOLOGY_MAX_CPUS)
		die("more CPUs than this benchmark knows");
	*cpu = (struct topology_cpu){
		.os = (int)pu->os_index,
		.core = ancestor(h, pu, HWLOC_OBJ_CORE),
		.package = ancestor(h, pu, HWLOC_OBJ_PACKAGE),
		.node = node_of(h, pu),
	};
	/* Beyond the numbers of those cores that are known. */
	if (cpu->core < 0)
		cpu->core = TOPOLOGY_MAX_CPUS + (int)pu->logical_index;
}

/* CPUs that are offline, or that taskset and cgroups took away, are none of ours. */
static void read_cpus(struct topology *t, hwloc_topology_t h)
{
	hwloc_obj_t pu = NULL;
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		die("cannot read which CPUs may be used");
	while ((pu = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_PU, pu))) {
		if (!t->this_system ||
		    (pu->os_index < CPU_SETSIZE && CPU_ISSET(pu->os_index, &allowed)))
			read_cpu(t, h, pu);
	}
	if (!t->nr_cpus)
		die("hwloc knows none of the CPUs that may be used");
}

/* Siblings are neighbours still, for hwloc's order is that of the tree. */
static void count(struct topology *t)
{
	hwloc_bitmap_t packages = hwloc_bitmap_alloc();
	hwloc_bitmap_t cores = hwloc_bitmap_alloc();

	if (!packages || !cores)
		die("out of memory");
	for (int i = 0; i < t->nr_cpus; i++) {
		struct topology_cpu *cpu = &t->cpu[i];
		bool new_core = first(cores, cpu->core);

		cpu->sibling = new_core ? 0 : cpu[-1].sibling + 1;
		t->packages += first(packages, cpu->package);
		t->cores += new_core;
		if (cpu->sibling >= t->smt)
			t->smt = cpu->sibling + 1;
		if (cpu->node >= 0) {
			t->node[cpu->node].cpus++;
			t->node[cpu->node].cores += new_core;
		}
		/* Without holes, as they were met. */
		cpu->core = t->cores - 1;
	}
	hwloc_bitmap_free(packages);
	hwloc_bitmap_free(cores);
}

static int by_sibling(const void *a, const void *b)
{
	const struct topology_cpu *x = a, *y = b;

	if (x->sibling != y->sibling)
		return x->sibling - y->sibling;
	return x->core - y->core;
}

static void read_all(struct topology *t)
{
	hwloc_topology_t h;

	if (hwloc_topology_init(&h) || hwloc_topology_load(h))
		die("hwloc cannot read the topology");
	t->this_system = hwloc_topology_is_thissystem(h);
	read_nodes(t, h);
	read_cpus(t, h);
	count(t);
	qsort(t->cpu, (size_t)t->nr_cpus, sizeof(t->cpu[0]), by_sibling);
	hwloc_topology_destroy(h);
}

const struct topology *topology_get(void)
{
	static struct topology *found;
	int status;
	pid_t child;

	if (found)
		return found;
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (found == MAP_FAILED)
		die("no memory for the topology");
	child = fork();
	if (child < 0)
		die("cannot start a process for hwloc");
	if (!child) {
		read_all(found);
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			die("cannot wait for the process of hwloc");
	}
	if (status)
		die("no topology");
	return found;
}

int topology_of_node(const struct topology *t, int node, int i)
{
	for (int at = 0; at < t->nr_cpus; at++) {
		if (t->cpu[at].node == node && i-- == 0)
			return at;
	}
	return -1;
}

int topology_pairs(const struct topology *t, struct topology_pair *pairs)
{
	int n = 0, last = -1;

	for (int node = 0; node < t->nr_nodes; node++) {
		if (!t->node[node].cpus)
			continue;
		if (last >= 0 && n + 2 <= TOPOLOGY_MAX_PAIRS) {
			pairs[n++] = (struct topology_pair){.from = last, .to = node};
			pairs[n++] = (struct topology_pair){.from = node, .to = last};
		}
		last = node;
	}
	return n;
}

const char *topology_source(void)
{
	static const char *const names[] = {"HWLOC_XMLFILE", "HWLOC_SYNTHETIC", "HWLOC_FSROOT",
					    "HWLOC_CPUID_PATH"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (getenv(names[i]))
			return names[i];
	}
	return "HWLOC_THISSYSTEM";
}
