/* SPDX-License-Identifier: MIT */
/*
 * Prints what the benchmark found of the machine, and which CPUs it would bind threads to: as text,
 * or with --json as one object for the report.
 */
#include "topology.h"

#include <stdio.h>
#include <string.h>

static const char *plural(int n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void print_counts(const struct topology *t)
{
	if (!t->this_system)
		printf("another machine, described by %s: its plan can be shown, not run\n",
		       topology_source());
	printf("%d %s, %d %s, %d %s, %d %s, %d of a core\n", t->packages,
	       plural(t->packages, "package", "packages"), t->nr_nodes,
	       plural(t->nr_nodes, "node", "nodes"), t->cores, plural(t->cores, "core", "cores"),
	       t->nr_cpus, plural(t->nr_cpus, "CPU", "CPUs"), t->smt);
}

static void print_nodes(const struct topology *t)
{
	for (int node = 0; node < t->nr_nodes; node++) {
		printf("node %d (system's %d): %.0f MiB, ", node, t->node[node].os,
		       (double)t->node[node].memory / (1 << 20));
		printf(t->node[node].cpus ? "CPUs" : "no CPUs");
		for (int i = 0; i < t->node[node].cpus; i++)
			printf(" %d", t->cpu[topology_of_node(t, node, i)].os);
		printf("\n");
	}
}

/* A line for each core that has more than one CPU; the first CPUs of all cores come first. */
static void print_siblings(const struct topology *t)
{
	for (int i = 0; t->smt > 1 && i < t->cores; i++) {
		printf("core %d: CPUs %d", t->cpu[i].core, t->cpu[i].os);
		for (int j = t->cores; j < t->nr_cpus; j++) {
			if (t->cpu[j].core == t->cpu[i].core)
				printf(" %d", t->cpu[j].os);
		}
		printf("\n");
	}
}

static void print_number(const char *what, int number)
{
	if (number >= 0)
		printf(", %s %d", what, number);
	else
		printf(", no %s", what);
}

static void print_order(const struct topology *t)
{
	for (int i = 0; i < t->nr_cpus; i++) {
		printf("thread %d: CPU %d, core %d", i, t->cpu[i].os, t->cpu[i].core);
		print_number("node", t->cpu[i].node);
		print_number("package", t->cpu[i].package);
		printf("\n");
	}
}

static void print_pairs(const struct topology *t)
{
	struct topology_pair pairs[TOPOLOGY_MAX_PAIRS];
	int n = topology_pairs(t, pairs);

	if (!n)
		printf("no rows between nodes: fewer than two have CPUs\n");
	for (int i = 0; i < n; i++)
		printf("rows from node %d (CPU %d) to node %d (CPU %d)\n", pairs[i].from,
		       t->cpu[topology_of_node(t, pairs[i].from, 0)].os, pairs[i].to,
		       t->cpu[topology_of_node(t, pairs[i].to, 0)].os);
}

static void print_json(const struct topology *t)
{
	struct topology_pair pairs[TOPOLOGY_MAX_PAIRS];
	int n = topology_pairs(t, pairs);

	printf("{\"packages\": %d, \"nodes\": %d, \"cores\": %d, \"cpus\": %d, \"smt\": %d, ",
	       t->packages, t->nr_nodes, t->cores, t->nr_cpus, t->smt);
	printf("\"synthetic\": %s, \"order\": [", t->this_system ? "false" : "true");
	for (int i = 0; i < t->nr_cpus; i++)
		printf("%s%d", i ? ", " : "", t->cpu[i].os);
	printf("], \"node_of_cpu\": {");
	for (int i = 0; i < t->nr_cpus; i++) {
		printf("%s\"%d\": ", i ? ", " : "", t->cpu[i].os);
		if (t->cpu[i].node < 0)
			printf("null");
		else
			printf("%d", t->cpu[i].node);
	}
	printf("}, \"node_memory_mib\": [");
	for (int node = 0; node < t->nr_nodes; node++)
		printf("%s%.0f", node ? ", " : "", (double)t->node[node].memory / (1 << 20));
	printf("], \"node_pairs\": [");
	for (int i = 0; i < n; i++)
		printf("%s[%d, %d]", i ? ", " : "", pairs[i].from, pairs[i].to);
	printf("]}\n");
}

int main(int argc, char **argv)
{
	bool json = argc == 2 && !strcmp(argv[1], "--json");

	if (argc > 1 && !json) {
		fprintf(stderr, "usage: bench-plan [--json]\n");
		return 2;
	}
	if (json) {
		print_json(topology_get());
		return 0;
	}
	print_counts(topology_get());
	print_nodes(topology_get());
	print_siblings(topology_get());
	print_order(topology_get());
	print_pairs(topology_get());
	return 0;
}
