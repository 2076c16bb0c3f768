/* SPDX-License-Identifier: MIT */
/* First use of the library. Ordering: MO-18 (docs/memory-ordering.md). */
#include "api.h"

#include "obs/obs.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bma/version.h>

struct bma__lock bma__init_lock = BMA__LOCK_INIT(BMA__RANK_INIT);

static void at_exit(void)
{
	bma_stats_write(STDERR_FILENO, BMA_STATS_ALL, NULL);
}

static int watch(void)
{
	if (bma__env.stats_exit && atexit(at_exit))
		return -ENOMEM;
	if (!bma__env.share)
		return 0;
	bma__worker_export = bma__export_tick;
	return atexit(bma__export_end) ? -ENOMEM : 0;
}

int bma__init(void)
{
	int rc = 0;

	if (bma__is_ready())
		return 0;
	bma__lock_take(&bma__init_lock);
	if (!atomic_load_explicit(&bma__ready, memory_order_relaxed)) {
		/* Not what a user says to a program that may do more than that user. */
		bma__env_parse(secure_getenv("BMA_CONF"));
		bma__log_set_verbose(bma__env.verbose);
		bma__tools_init();
		rc = bma__group_init();
		if (!rc)
			rc = bma__engine_init();
		if (!rc)
			rc = bma__env.profile ? bma__profile_set(bma__env.profile) : 0;
		if (!rc)
			rc = bma__fork_init();
		if (!rc)
			bma__percpu_init();
		if (!rc)
			rc = bma__record_init();
		bma__group_wake = bma__worker_wake;
		bma__purge_wake = bma__worker_wake;
		if (!rc)
			rc = watch();
		if (!rc)
			atomic_store_explicit(&bma__ready, true, memory_order_release);
	}
	bma__lock_drop(&bma__init_lock);
	return rc;
}

void bma__init_threads(void)
{
	int worker = bma__worker_start(), defer = bma__flavor_start_all();

	if (worker || defer)
		bma__log_verbose(
			"no thread could be started (error %d): bma_poll() has to be called",
			-(worker ? worker : defer));
}

unsigned int bma_version(void)
{
	return BMA_VERSION;
}
