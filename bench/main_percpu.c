/* SPDX-License-Identifier: MIT */
/* One program per kind of counter, under Google Benchmark's command line. */
#include "counters/counter.h"

int main(int argc, char **argv)
{
	host_init();
	bench_add_context("peer", COUNTER_NAME);
	bench_add_context("peer_version", counter_version());
	percpu_memory_register();
	percpu_add_register();
	return bench_main(argc, argv);
}
