/* SPDX-License-Identifier: MIT */
/* Accounting groups, under Google Benchmark's command line. */
#include "workloads/oom/oom.h"
#include "workloads/shared/shared.h"

int main(int argc, char **argv)
{
	host_init();
	peer_init(argv[0]);
	crew_read_time(argc, argv);
	bench_add_context("peer", PEER_NAME);
	bench_add_context("peer_version", peer_version());
	group_private_register();
	group_pair_register();
	group_sixteen_register();
	group_depth_register();
	shared_borrow_register();
	oom_decision_register();
	group_threads_register();
	group_heap_register();
	group_payers_register();
	group_places_register();
	group_vector_register();
	return bench_main(argc, argv);
}
