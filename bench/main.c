/* SPDX-License-Identifier: MIT */
/* One program per peer: its workloads, under Google Benchmark's command line. */
#include "crew.h"
#include "workloads/workload.h"

static const struct {
	unsigned int needs; /* all of these WORKLOAD_* */
	void (*add)(void);
} workloads[] = {
	{WORKLOAD_PAIR, pair_register},
	{WORKLOAD_BATCH, batch_register},
	{WORKLOAD_THREADS, threads_register},
	{WORKLOAD_HANDOVER, prodcons_register},
	{WORKLOAD_HANDOVER | WORKLOAD_CROWD, asymmetric_register},
	{WORKLOAD_HANDOVER, larson_register},
	{WORKLOAD_HANDOVER, xmalloc_register},
	{WORKLOAD_FOOTPRINT, warmup_register},
	{WORKLOAD_FOOTPRINT, footprint_register},
	{WORKLOAD_FOOTPRINT, spike_register},
	{WORKLOAD_FOOTPRINT, mix_register},
	{WORKLOAD_LATENCY, latency_register},
	{WORKLOAD_MAPS, maps_register},
	{0, numa_register}, /* asks itself, row by row */
	{WORKLOAD_TRACE, trace_register},
	{WORKLOAD_SIZES, heap_sizes_register},
	{WORKLOAD_MAPS, merge_resident_register},
#if (PEER_WORKLOADS) & WORKLOAD_HANDLES
	{WORKLOAD_HANDLES, merge_handle_register},
#endif
};

int main(int argc, char **argv)
{
	host_init();
	peer_init(argv[0]);
	crew_read_time(argc, argv);
	bench_add_context("peer", PEER_NAME);
	bench_add_context("peer_version", peer_version());
	for (size_t i = 0; i < BENCH_ARRAY_SIZE(workloads); i++) {
		if ((PEER_WORKLOADS & workloads[i].needs) == workloads[i].needs)
			workloads[i].add();
	}
#ifdef BENCH_BMA_FIGURES
	adaptive_register();
	burst_register();
	exchanges_register();
#endif
#ifdef BENCH_PEERS_BMA_HEAP_H
	heap_known_register();
	heap_free_register();
#endif
	return bench_main(argc, argv);
}
