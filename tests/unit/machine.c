/* SPDX-License-Identifier: MIT */
/* What is made of the machine: how slots are found and how many there are, and nodes. Machines are pretended. */
#include "base/base.h"

#include <bma/stats.h>

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

static long online; /* 0: those that there are */
static unsigned long *features;

/* In the place of the C library's. */
long sysconf(int name)
{
	static long (*real)(int name);

	if (!real)
		real = (long (*)(int))(uintptr_t)dlsym(RTLD_NEXT, "sysconf");
	return online && name == _SC_NPROCESSORS_ONLN ? online : real(name);
}

unsigned long getauxval(unsigned long type)
{
	static unsigned long (*real)(unsigned long type);

	if (!real)
		real = (unsigned long (*)(unsigned long))(uintptr_t)dlsym(RTLD_NEXT, "getauxval");
	return features && type == 27 ? *features : real(type);
}

static uint32_t guests_of(long cpus)
{
	online = cpus;
	bma__env_parse("");
	bma__cpu_init();
	return bma__cpu.guests;
}

Test(machine, two_guest_slots_for_a_cpu_between_limits)
{
	cr_assert_eq(guests_of(1), 8);
	cr_assert_eq(guests_of(4), 8);
	cr_assert_eq(guests_of(5), 16);
	cr_assert_eq(guests_of(16), 32);
	cr_assert_eq(guests_of(32), 64);
	cr_assert_eq(guests_of(1000), 64);
}

/* Returns the mode; @feature_size: what the kernel says of its area. */
static enum bma_mode mode_of(unsigned long feature_size, const char *nodes, const char *conf)
{
	features = &feature_size;
	setenv("HWLOC_SYNTHETIC", nodes, 1);
	bma__topo.nodes = 1;
	bma__env_parse(conf);
	bma__cpu_init();
	features = NULL;
	return bma__cpu.mode;
}

#define ONE "numa:1 core:2 pu:1"
#define TWO "numa:2 core:1 pu:1"
#define OLD 20
#define NEW 32

Test(machine, slots_go_by_what_the_kernel_keeps)
{
	/* As where the C library has no area. */
	if (!BMA__RSEQ_BUILT || !bma__rseq_registered()) {
		cr_assert_eq(mode_of(NEW, ONE, ""), BMA_MODE_GUEST);
		return;
	}
	cr_assert_eq(mode_of(NEW, ONE, ""), BMA_MODE_RSEQ_CID);
	cr_assert_eq(mode_of(OLD, ONE, ""), BMA_MODE_RSEQ_CPU);
	cr_assert_str_eq(bma__cpu.reason, "the kernel keeps no concurrency ids");
	cr_assert_eq(mode_of(OLD, ONE, "index:cid"), BMA_MODE_RSEQ_CPU, "there are none");
	cr_assert_eq(mode_of(NEW, ONE, "index:cpu"), BMA_MODE_RSEQ_CPU);
	cr_assert_str_eq(bma__cpu.reason, "BMA_CONF=index:cpu");
	cr_assert_eq(mode_of(NEW, TWO, ""), BMA_MODE_RSEQ_CPU);
	cr_assert_str_eq(bma__cpu.reason, "more than one NUMA node");
	cr_assert_eq(mode_of(NEW, TWO, "index:cid"), BMA_MODE_RSEQ_CID);
	cr_assert_eq(mode_of(NEW, ONE, "rseq:off"), BMA_MODE_GUEST);
}

static void *refuse_map(size_t bytes)
{
	(void)bytes;
	return NULL;
}

static uint32_t nodes_of(const char *synthetic, uint32_t cpus)
{
	setenv("HWLOC_SYNTHETIC", synthetic, 1);
	bma__topo = (struct bma__topo){.nodes = 1};
	bma__topo_init(cpus);
	return bma__topo.nodes;
}

Test(machine, nodes_and_their_cpus)
{
	cr_assert_eq(nodes_of("numa:1 core:4 pu:1", 64), 1);
	cr_assert_eq(nodes_of("numa:2 core:2 pu:1", 64), 2);
	cr_assert_eq(bma__topo_node(1), 0);
	cr_assert_eq(bma__topo_node(2), 1);
	cr_assert_eq(bma__topo_node(1000), 0, "a number that is no CPU's");
}

Test(machine, as_many_nodes_as_are_told_apart)
{
	cr_assert_eq(nodes_of("numa:100 core:1 pu:1", 128), BMA__NODES_MAX);
	cr_assert_eq(bma__topo_node(BMA__NODES_MAX - 1), BMA__NODES_MAX - 1);
	cr_assert_eq(bma__topo_node(99), 0, "of a node beyond them");
}

Test(machine, cpus_beyond_the_mask_are_left_out)
{
	cr_assert_eq(nodes_of("numa:2 core:2 pu:1", 3), 2);
	cr_assert_eq(bma__topo_node(2), 1);
	cr_assert_eq(bma__topo_node(3), 0);
	cr_assert_eq(bma__topo.node_of_cpu[3], 0, "behind the table");
}

Test(machine, without_memory_there_is_one_node)
{
	bma__os.map = refuse_map;
	cr_assert_eq(nodes_of("numa:2 core:2 pu:1", 64), 1);
	bma__os.map = bma__os_real.map;
	cr_assert_eq(bma__topo_node(2), 0);
	cr_assert_eq(bma__topo_node_now(), 0);
}

Test(machine, a_description_that_cannot_be_read_is_one_node)
{
	unsetenv("HWLOC_SYNTHETIC");
	setenv("HWLOC_XMLFILE", "/nowhere/topology.xml", 1);
	bma__topo_init(64);
	cr_assert_eq(bma__topo.nodes, 1);
}

Test(machine, a_node_that_the_system_does_not_have_is_refused)
{
	void *p = bma__os.map(BMA_PAGE);
	struct bma__os_nodes nodes = {{0}};

	cr_assert_not_null(p);
	bma__os_nodes_add(&nodes, BMA__OS_NODES_MAX - 1);
	cr_assert_eq(bma__os.bind(p, BMA_PAGE, &nodes, false), -EINVAL);
}

Test(machine, memory_is_aligned_and_no_more_is_kept)
{
	size_t align = (size_t)1 << 20;

	/* What is mapped in between makes the next address one of any alignment. */
	for (size_t bytes = BMA_PAGE; bytes < 40 * BMA_PAGE; bytes += BMA_PAGE) {
		char *p = bma__os_map_aligned(align, align);

		cr_assert_not_null(p);
		cr_assert_eq((uintptr_t)p & (align - 1), 0);
		p[0] = p[align - 1] = 1;
		cr_assert_not_null(bma__os.map(bytes));
	}
}
