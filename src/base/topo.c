/* SPDX-License-Identifier: MIT */
/* NUMA nodes, see topo.h. */
#include "base.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

struct bma__topo bma__topo = {.nodes = 1, .nodes_with_cpus = 1};

/* The system's answer for a CPU that was not there when the topology was read. */
static uint32_t ask_system(uint32_t cpu)
{
	unsigned int now, os, node;

	if (!bma__topo.real || getcpu(&now, &os))
		return 0;
	node = bma__topo_node_by_os(os);
	if (node == BMA__NODE_UNKNOWN)
		node = 0;
	if (now == cpu)
		atomic_store_explicit(&bma__topo.node_of_cpu[cpu], (uint8_t)node,
				      memory_order_relaxed);
	return node;
}

uint32_t bma__topo_node_asked(void)
{
	int cpu = sched_getcpu();
	uint32_t node;

	if (cpu < 0 || (uint32_t)cpu >= bma__topo.cpus)
		return 0;
	node = atomic_load_explicit(&bma__topo.node_of_cpu[cpu], memory_order_relaxed);
	return bma__likely(node != BMA__NODE_UNKNOWN) ? node : ask_system((uint32_t)cpu);
}

#ifdef BMA_HAVE_HWLOC
#include <hwloc.h>
#include <hwloc/distances.h>

/* What the machine has: nodes of the operating system, with or without memory, as hwloc lists them. */
struct found {
	unsigned int n;
	hwloc_obj_t node[BMA__OS_NODES_MAX];
	struct hwloc_distances_s *distances; /* or NULL */
};

/*
 * hwloc does what its variables say also in a program that may do more than the user who starts it: it loads plugins from where HWLOC_PLUGINS_PATH points to. There, with any of them or of
 * those of the loader that it may be built with, it is not called at all.
 */
static bool misled(void)
{
	static const char *const prefixes[] = {"HWLOC_", "LTDL_"};

	if (!getauxval(AT_SECURE))
		return false;
	for (char **e = environ; e && *e; e++) {
		for (int i = 0; i < 2; i++) {
			if (!strncmp(*e, prefixes[i], strlen(prefixes[i])))
				return true;
		}
	}
	return false;
}

/*
 * Loading a topology costs milliseconds; a machine with one node needs none. HWLOC_SYNTHETIC and HWLOC_XMLFILE are how
 * tests pretend to have more.
 */
static bool one_node(void)
{
	char text[16];
	ssize_t n;
	int fd;

	if (misled())
		return true;
	if (getenv("HWLOC_SYNTHETIC") || getenv("HWLOC_XMLFILE"))
		return false;
	fd = open("/sys/devices/system/node/possible", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, text, sizeof text);
	close(fd);
	return n >= 1 && text[0] == '0' && (n == 1 || text[1] == '\n');
}

static bool has_memory(hwloc_topology_t topology, hwloc_obj_t node)
{
	return node->attr->numanode.local_memory &&
	       hwloc_bitmap_isset(hwloc_topology_get_allowed_nodeset(topology), node->os_index);
}

static uint64_t distance(const struct found *f, unsigned int from, unsigned int to)
{
	unsigned int n = f->n;

	if (f->distances)
		return f->distances->values[hwloc_distances_obj_index(f->distances, f->node[from]) *
						    (int)f->distances->nbobjs +
					    hwloc_distances_obj_index(f->distances, f->node[to])];
	/* Neighbours by number are neighbours in most machines, and the order goes round. */
	return (to + n - from) % n;
}

/* Which of ours is nearest to the @from-th that was found; @ours: what was found, by our number. */
static uint32_t nearest_of(const struct found *f, unsigned int from, const unsigned int *ours)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < bma__topo.nodes; i++) {
		if (distance(f, from, ours[i]) < distance(f, from, ours[best]))
			best = i;
	}
	return best;
}

/* Insertion: each node has a few dozen others at most, and equals stay in the order of their numbers, from it on. */
static void sort_by_distance(const struct found *f, uint32_t node, const unsigned int *ours)
{
	uint32_t n = bma__topo.nodes;
	uint8_t *order = bma__topo.nearest[node];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t next = (node + i) % n, at = i;
		uint64_t far = i ? distance(f, ours[node], ours[next]) : 0;

		for (; at > 1 && distance(f, ours[node], ours[order[at - 1]]) > far; at--)
			order[at] = order[at - 1];
		order[at] = (uint8_t)next;
	}
}

/*
 * The node of a CPU. Of memory that has no CPU of its own hwloc says which CPUs are near: so the one that is of the fewest, and of these the first, which are
 * numbered before memory of devices.
 */
static uint8_t node_of(const struct found *f, unsigned int cpu)
{
	const struct hwloc_obj *best = NULL;

	for (unsigned int i = 0; i < f->n; i++) {
		if (hwloc_bitmap_isset(f->node[i]->cpuset, cpu) &&
		    (!best ||
		     hwloc_bitmap_weight(f->node[i]->cpuset) < hwloc_bitmap_weight(best->cpuset)))
			best = f->node[i];
	}
	return best ? bma__topo.node_of_os[best->os_index] : BMA__NODE_UNKNOWN;
}

static void read_cpus(hwloc_topology_t topology, const struct found *f)
{
	hwloc_const_cpuset_t allowed = hwloc_topology_get_allowed_cpuset(topology);
	uint64_t with = 0;

	for (uint32_t cpu = 0; cpu < bma__topo.cpus; cpu++) {
		uint8_t node = node_of(f, cpu);

		atomic_init(&bma__topo.node_of_cpu[cpu], node);
		if (node != BMA__NODE_UNKNOWN && hwloc_bitmap_isset(allowed, cpu))
			with |= 1ull << node;
	}
	bma__topo.nodes_with_cpus = (uint32_t)__builtin_popcountll(with);
}

static void find(hwloc_topology_t topology, struct found *f)
{
	int n = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
	unsigned int matrices = 1;

	for (int i = 0; i < n; i++) {
		hwloc_obj_t node =
			hwloc_get_obj_by_type(topology, HWLOC_OBJ_NUMANODE, (unsigned int)i);

		if (node->os_index < BMA__OS_NODES_MAX)
			f->node[f->n++] = node;
	}
	if (hwloc_distances_get_by_type(topology, HWLOC_OBJ_NUMANODE, &matrices, &f->distances,
					HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) ||
	    !matrices)
		f->distances = NULL;
	for (unsigned int i = 0; f->distances && i < f->n; i++) {
		if (hwloc_distances_obj_index(f->distances, f->node[i]) < 0) {
			hwloc_distances_release(topology, f->distances);
			f->distances = NULL;
		}
	}
}

/* Nodes with memory, in the order of their numbers; @ours: which of those that were found. Returns how many. */
static uint32_t number_nodes(hwloc_topology_t topology, const struct found *f, unsigned int *ours)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < f->n && n < BMA__NODES_MAX; i++) {
		if (has_memory(topology, f->node[i])) {
			bma__topo.os_node[n] = (uint16_t)f->node[i]->os_index;
			ours[n++] = i;
		}
	}
	return n;
}

static void read_nodes(hwloc_topology_t topology, const struct found *f)
{
	unsigned int ours[BMA__NODES_MAX];
	uint32_t n = number_nodes(topology, f, ours);

	if (n <= 1)
		return;
	bma__topo.node_of_cpu =
		bma__os.map(bma__align_up(bma__topo.cpus * sizeof(uint8_t), BMA_PAGE));
	if (!bma__topo.node_of_cpu)
		return;
	bma__topo.nodes = n;
	for (uint32_t node = 0; node < n; node++)
		sort_by_distance(f, node, ours);
	for (unsigned int i = 0; i < f->n; i++)
		bma__topo.node_of_os[f->node[i]->os_index] = (uint8_t)nearest_of(f, i, ours);
	for (uint32_t node = 0; node < n; node++)
		bma__topo.node_of_os[bma__topo.os_node[node]] = (uint8_t)node;
	bma__topo.real = hwloc_topology_is_thissystem(topology);
	read_cpus(topology, f);
}

static void read_topology(void)
{
	struct found f = {0};
	hwloc_topology_t topology;

	if (hwloc_topology_init(&topology))
		return;
	/* Also what a cpuset does not allow: it may tomorrow, and objects of today are there then. */
	hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
	hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
	if (!hwloc_topology_load(topology)) {
		find(topology, &f);
		read_nodes(topology, &f);
		if (f.distances)
			hwloc_distances_release(topology, f.distances);
	}
	hwloc_topology_destroy(topology);
}
#endif

void bma__topo_init(uint32_t cpus)
{
	bma__topo.cpus = cpus;
	memset(bma__topo.node_of_os, BMA__NODE_UNKNOWN, sizeof bma__topo.node_of_os);
#ifdef BMA_HAVE_HWLOC
	if (!one_node())
		read_topology();
#endif
	if (bma__topo.nodes == 1)
		bma__topo.node_of_os[bma__topo.os_node[0]] = 0;
}
