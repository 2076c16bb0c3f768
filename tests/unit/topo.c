/* SPDX-License-Identifier: MIT */
/* Nodes as machines have them: far ones, some without memory or CPUs, numbers with gaps. */
#include "topo_xml.h"

#include "base/base.h"

#include <hwloc/distances.h>
#include <sched.h>

static int on_cpu = -1;

/* In the place of the C library's. */
int sched_getcpu(void)
{
	return on_cpu;
}

static unsigned int asked_os_node;
static unsigned int asked_cpu;
static int asked;

int getcpu(unsigned int *cpu, unsigned int *node)
{
	asked++;
	*cpu = asked_cpu;
	*node = asked_os_node;
	return 0;
}

/* Read back through a file as the library does. */
static void machine(const char *synthetic, void (*change)(hwloc_topology_t t))
{
	describe_machine(synthetic, change);
	bma__topo = (struct bma__topo){.nodes = 1, .nodes_with_cpus = 1};
	bma__topo_init(64);
	forget_machine();
}

/* A square of nodes: 0 and 1 are near, 2 and 3 are; 0 is nearer to 3 than to 2. */
static void square(hwloc_topology_t t)
{
	static const hwloc_uint64_t far[16] = {
		10, 16, 30, 20, /**/ 16, 10, 20, 30, /**/ 30, 20, 10, 16, /**/ 20, 30, 16, 10,
	};
	hwloc_distances_add_handle_t d;
	hwloc_obj_t node[4];

	for (unsigned int i = 0; i < 4; i++)
		node[i] = hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, i);
	d = hwloc_distances_add_create(
		t, "NUMALatency",
		HWLOC_DISTANCES_KIND_FROM_USER | HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
	cr_assert_not_null(d);
	cr_assert_eq(hwloc_distances_add_values(t, d, 4, node, (hwloc_uint64_t *)far, 0), 0);
	cr_assert_eq(hwloc_distances_add_commit(t, d, 0), 0);
}

static void expect_order(uint32_t node, const uint8_t *order)
{
	for (uint32_t i = 0; i < bma__topo.nodes; i++)
		cr_assert_eq(bma__topo.nearest[node][i], order[i], "of %u the %u-th is %u", node, i,
			     bma__topo.nearest[node][i]);
}

Test(topo, the_nearest_node_comes_first)
{
	machine("numa:4 core:1 pu:1", square);
	cr_assert_eq(bma__topo.nodes, 4);
	expect_order(0, (uint8_t[]){0, 1, 3, 2});
	expect_order(1, (uint8_t[]){1, 0, 2, 3});
	expect_order(2, (uint8_t[]){2, 3, 1, 0});
	expect_order(3, (uint8_t[]){3, 2, 0, 1});
}

Test(topo, without_distances_it_goes_round_by_number)
{
	machine("numa:4 core:1 pu:1", NULL);
	expect_order(0, (uint8_t[]){0, 1, 2, 3});
	expect_order(2, (uint8_t[]){2, 3, 0, 1});
}

Test(topo, numbers_with_gaps_are_the_systems)
{
	machine("numa:3(indexes=0,4,900) core:2 pu:1", NULL);
	cr_assert_eq(bma__topo.nodes, 3);
	cr_assert_eq(bma__topo.os_node[1], 4);
	cr_assert_eq(bma__topo.os_node[2], 900);
	cr_assert_eq(bma__topo_node_by_os(900), 2);
	cr_assert_eq(bma__topo_node_by_os(1), BMA__NODE_UNKNOWN);
	cr_assert_eq(bma__topo_node_by_os(BMA__OS_NODES_MAX), BMA__NODE_UNKNOWN);
}

/* Nodes 1 and 2 of the square. */
static void no_memory(hwloc_topology_t t)
{
	square(t);
	for (unsigned int i = 1; i < 3; i++)
		hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, i)->attr->numanode.local_memory = 0;
}

Test(topo, cpus_of_a_node_without_memory_belong_to_the_nearest_that_has)
{
	machine("numa:4 core:1 pu:1", no_memory);
	cr_assert_eq(bma__topo.nodes, 2);
	cr_assert_eq(bma__topo.os_node[1], 3);
	cr_assert_eq(bma__topo_node(0), 0);
	cr_assert_eq(bma__topo_node(1), 0);
	cr_assert_eq(bma__topo_node(2), 1, "nearer to 3");
	cr_assert_eq(bma__topo_node(3), 1);
	cr_assert_eq(bma__topo_node_by_os(2), 1);
	cr_assert_eq(bma__topo.nodes_with_cpus, 2);
}

static void one_has_memory(hwloc_topology_t t)
{
	for (unsigned int i = 0; i < 3; i += 2)
		hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, i)->attr->numanode.local_memory = 0;
}

Test(topo, one_node_with_memory_is_one_node)
{
	machine("numa:3 core:1 pu:1", one_has_memory);
	cr_assert_eq(bma__topo.nodes, 1);
	cr_assert_eq(bma__topo.os_node[0], 1);
	cr_assert_eq(bma__topo_node_by_os(1), 0);
	cr_assert_eq(bma__topo_node_by_os(0), BMA__NODE_UNKNOWN);
}

/* The third is a device's, near to both packages. */
Test(topo, at_memory_without_cpus_nobody_is_at_home)
{
	machine("[numa(memory=1GB)] pack:2 [numa(memory=1GB)] core:2 pu:1", NULL);
	cr_assert_eq(bma__topo.nodes, 3);
	cr_assert_eq(bma__topo.os_node[2], 2);
	cr_assert_eq(bma__topo.nodes_with_cpus, 2);
	for (uint32_t cpu = 0; cpu < 4; cpu++)
		cr_assert_eq(bma__topo_node(cpu), cpu / 2);
}

/* As near as the package's own memory, and numbered behind it. */
Test(topo, a_packages_first_memory_is_its_cpus)
{
	machine("pack:2(indexes=0,1) [numa(memory=1GB)] [numa(memory=1GB)] core:2 pu:1", NULL);
	cr_assert_eq(bma__topo.nodes, 4);
	cr_assert_eq(bma__topo_node(1), 0);
	cr_assert_eq(bma__topo_node(2), 2);
}

Test(topo, a_cpu_that_came_later_is_asked_about_once)
{
	machine("numa:2 core:2 pu:1", NULL);
	on_cpu = 10;
	cr_assert_eq(bma__topo_node_now(), 0, "a described machine has no system to ask");
	cr_assert_eq(asked, 0);
	bma__topo.real = true;
	asked_cpu = 10;
	asked_os_node = 1;
	cr_assert_eq(bma__topo_node_now(), 1);
	cr_assert_eq(bma__topo_node_now(), 1);
	cr_assert_eq(asked, 1);
	/* It moved between the two questions: right for now, and not kept. */
	on_cpu = 11;
	cr_assert_eq(bma__topo_node_now(), 1);
	asked_os_node = 0;
	asked_cpu = 11;
	cr_assert_eq(bma__topo_node_now(), 0);
	cr_assert_eq(asked, 3);
	on_cpu = -1;
	cr_assert_eq(bma__topo_node_now(), 0, "the C library does not know");
	on_cpu = 64;
	cr_assert_eq(bma__topo_node_now(), 0, "a number that is no CPU's");
}
