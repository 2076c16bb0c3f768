/* SPDX-License-Identifier: MIT */
/*
 * Are threads bound where host.h says? The argument is the number of nodes with CPUs that there
 * must be; with HWLOC_XMLFILE this machine can have as many as it has CPUs. 77 if it cannot.
 */
#include "host.h"
#include "topology.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static void must(bool fine, const char *what, int i)
{
	if (!fine) {
		fprintf(stderr, "%s %d\n", what, i);
		abort();
	}
}

/* Says the kernel that this thread may run on this CPU, and on no other? */
static bool bound_to(int os)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		abort();
	return CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)os, &set) && sched_getcpu() == os;
}

static void check_nodes(const struct topology *t)
{
	for (int node = 0; node < host_nodes(); node++) {
		int n = host_node_cpus(node);

		must(host_node_cores(node) <= n, "cores of node", node);
		for (int i = 0; i < 2 * n; i++) {
			int at = topology_of_node(t, node, i % n);

			host_pin_node(node, i);
			must(t->cpu[at].node == node, "CPU of node", node);
			must(bound_to(t->cpu[at].os), "host_pin_node", i);
		}
		must(topology_of_node(t, node, n) == -1, "one more CPU in node", node);
	}
}

int main(int argc, char **argv)
{
	int need = argc > 1 ? atoi(argv[1]) : 0, have = 0;
	const struct topology *t;
	cpu_set_t before, after;

	if (sched_getaffinity(0, sizeof(before), &before))
		abort();
	host_init();
	t = topology_get();
	for (int node = 0; node < host_nodes(); node++)
		have += host_node_cpus(node) > 0;
	if (have < need)
		return 77;
	must(host_cpus() == CPU_COUNT(&before), "CPUs", host_cpus());
	for (int i = 0; i < 2 * host_cpus(); i++) {
		host_pin(i);
		must(bound_to(t->cpu[i % host_cpus()].os), "host_pin", i);
	}
	check_nodes(t);
	host_unpin();
	if (sched_getaffinity(0, sizeof(after), &after))
		abort();
	must(CPU_EQUAL(&before, &after), "host_unpin", 0);
	return 0;
}
