/* SPDX-License-Identifier: MIT */
/* One program per peer: its workloads, under Google Benchmark's command line. */
#include "workloads/workload.h"

int main(int argc, char **argv)
{
	host_init();
	peer_init(argv[0]);
	bench_add_context("peer", PEER_NAME);
	bench_add_context("peer_version", peer_version());
	if (PEER_WORKLOADS & WORKLOAD_PAIR)
		pair_register();
	if (PEER_WORKLOADS & WORKLOAD_BATCH)
		batch_register();
	if (PEER_WORKLOADS & WORKLOAD_THREADS)
		threads_register();
	if (PEER_WORKLOADS & WORKLOAD_PRODCONS)
		prodcons_register();
	if (PEER_WORKLOADS & WORKLOAD_FOOTPRINT)
		footprint_register();
	if (PEER_WORKLOADS & WORKLOAD_LATENCY)
		latency_register();
	trace_register();
#ifdef BENCH_BMA_FIGURES
	burst_register();
	exchanges_register();
#endif
	return bench_main(argc, argv);
}
