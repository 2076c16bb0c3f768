/* SPDX-License-Identifier: MIT */
/* NUMA nodes, see topo.h. */
#include "base.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bma__topo bma__topo = {.nodes = 1};

#ifdef BMA_HAVE_HWLOC
#include <hwloc.h>

/*
 * Loading a topology costs milliseconds; a machine with one node needs none. HWLOC_SYNTHETIC is how
 * tests pretend to have more.
 */
static bool one_node(void)
{
	char text[16];
	ssize_t n;
	int fd;

	if (getenv("HWLOC_SYNTHETIC") || getenv("HWLOC_XMLFILE"))
		return false;
	fd = open("/sys/devices/system/node/possible", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, text, sizeof text);
	close(fd);
	return n >= 1 && text[0] == '0' && (n == 1 || text[1] == '\n');
}

static void read_nodes(hwloc_topology_t topology)
{
	int n = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);

	if (n <= 1)
		return;
	if (n > BMA__NODES_MAX)
		n = BMA__NODES_MAX;
	bma__topo.node_of_cpu = bma__os.map(bma__align_up(bma__topo.cpus, BMA_PAGE));
	if (!bma__topo.node_of_cpu)
		return;
	for (int i = 0; i < n; i++) {
		hwloc_obj_t node =
			hwloc_get_obj_by_type(topology, HWLOC_OBJ_NUMANODE, (unsigned int)i);
		int cpu = -1;

		bma__topo.os_node[i] = node->os_index;
		while ((cpu = hwloc_bitmap_next(node->cpuset, cpu)) >= 0 &&
		       (uint32_t)cpu < bma__topo.cpus)
			bma__topo.node_of_cpu[cpu] = (uint8_t)i;
	}
	bma__topo.nodes = (uint32_t)n;
}

void bma__topo_init(uint32_t cpus)
{
	hwloc_topology_t topology;

	bma__topo.cpus = cpus;
	if (one_node() || hwloc_topology_init(&topology))
		return;
	if (!hwloc_topology_load(topology))
		read_nodes(topology);
	hwloc_topology_destroy(topology);
}
#else
void bma__topo_init(uint32_t cpus)
{
	bma__topo.cpus = cpus;
}
#endif
