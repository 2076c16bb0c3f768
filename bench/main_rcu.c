/* SPDX-License-Identifier: MIT */
/* One program per way to free what readers may look at, under Google Benchmark's command line. */
#include "crew.h"
#include "deferrals/deferral.h"

int main(int argc, char **argv)
{
	int rc;

	host_init();
	peer_init(argv[0]);
	crew_read_time(argc, argv);
	bench_add_context("peer", PEER_NAME);
	bench_add_context("peer_version", peer_version());
	if (DEFER_WORKLOADS & DEFER_CALL)
		rcu_call_register();
	if (DEFER_WORKLOADS & DEFER_CHURN)
		rcu_churn_register();
	if (DEFER_WORKLOADS & DEFER_THROTTLED)
		rcu_throttled_register();
	if (DEFER_WORKLOADS & DEFER_HTAB_LOCKED)
		htab_locked_register();
	if (DEFER_WORKLOADS & DEFER_HTAB_LFHT)
		htab_lfht_register();
	defer_start();
	rc = bench_main(argc, argv);
	defer_stop();
	return rc;
}
