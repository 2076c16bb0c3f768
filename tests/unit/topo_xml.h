/* SPDX-License-Identifier: MIT */
/* Machines described by XML that hwloc itself writes. */
#ifndef BMA_UNIT_TOPO_XML_H
#define BMA_UNIT_TOPO_XML_H

#include <criterion/criterion.h>
#include <hwloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char topo_path[] = "/tmp/bma-topo-XXXXXX";

/* @change: what is different from @synthetic. Who asks hwloc next, until forget_machine(), finds this machine. */
static inline void describe_machine(const char *synthetic, void (*change)(hwloc_topology_t t))
{
	hwloc_topology_t t;
	int fd = mkstemp(topo_path);

	cr_assert_geq(fd, 0);
	close(fd);
	hwloc_topology_init(&t);
	cr_assert_eq(hwloc_topology_set_synthetic(t, synthetic), 0);
	cr_assert_eq(hwloc_topology_load(t), 0);
	if (change)
		change(t);
	cr_assert_eq(hwloc_topology_export_xml(t, topo_path, 0), 0);
	hwloc_topology_destroy(t);
	unsetenv("HWLOC_SYNTHETIC");
	setenv("HWLOC_XMLFILE", topo_path, 1);
}

static inline void forget_machine(void)
{
	unlink(topo_path);
	memcpy(topo_path + sizeof topo_path - 7, "XXXXXX", 6);
}

#endif /* BMA_UNIT_TOPO_XML_H */
