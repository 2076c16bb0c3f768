/* SPDX-License-Identifier: MIT */
/* Runs the rows between nodes, and prints on which CPUs objects were allocated and freed. */
#include "workloads/workload.h"

#include <inttypes.h>

_Atomic uint64_t where_allocated, where_freed;

int main(int argc, char **argv)
{
	int rc;

	host_init();
	numa_register();
	rc = bench_main(argc, argv);
	fprintf(stderr, "allocated %#" PRIx64 ", freed %#" PRIx64 "\n", where_allocated,
		where_freed);
	return rc;
}
