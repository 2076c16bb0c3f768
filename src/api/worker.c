/* SPDX-License-Identifier: MIT */
/* The public calls that do the worker's work, or stop it. */
#include "api.h"

#include "obs/obs.h"

#include <errno.h>

static int wait_all(const struct bma__flavor_wait *w)
{
	struct bma__engine *e = NULL;
	int rc;

	bma__heap_collect();
	while ((e = bma__engine_next(e)))
		bma__reclaim_parked(e);
	bma__flavor_for_each (f)
		bma__limbo_flush(f);
	if (bma__flavor_pending())
		bma__init_threads();
	rc = bma__flavor_wait_all(w);
	bma__worker_finish_all();
	return rc;
}

int bma__wait_period(void)
{
	struct bma__flavor_wait w;
	int rc;

	bma__flavor_begin_wait_all(&w);
	rc = wait_all(&w);
	bma__flavor_end_wait_all(&w);
	return rc;
}

int bma_poll(unsigned int flags)
{
	int moved, rc = 0;

	if (flags & ~BMA_POLL_GP)
		return -EINVAL;
	if (bma__init())
		return 0;
	bma__init_threads();
	bma__heap_collect();
	bma__idle_look();
	moved = (int)bma__worker_pass_all();
	bma__orphan_reap(false);
	bma__pressure_pass();
	bma__shared_pass();
	bma__settle_tick(bma__os_now());
	if (!bma__worker_runs())
		bma__worker_export();
	if (flags & BMA_POLL_GP)
		rc = bma__wait_period();
	bma__purge_tick(bma__os_now());
	return rc ? rc : moved;
}

int bma_trim(void)
{
	struct bma__flavor_wait w;
	int early, rc;

	if (bma__init())
		return 0;
	bma__flavor_begin_wait_all(&w);
	/* What waits for a grace period is freed memory, too; then the slabs that held it wait. */
	early = wait_all(&w);
	bma__reclaim_all();
	bma__orphan_reap(true);
	rc = wait_all(&w);
	bma__pressure_trim();
	bma__purge_all();
	bma__flavor_end_wait_all(&w);
	return early ? early : rc;
}

int bma_shutdown(void)
{
	struct bma__flavor_wait w;
	int rc = -EDEADLK;

	if (bma__init())
		return 0;
	if (!bma__flavor_begin_wait_all(&w)) {
		rc = wait_all(&w);
		bma__worker_stop();
		bma__export_remove();
		if (!rc)
			bma__flavor_stop_all();
	}
	bma__flavor_end_wait_all(&w);
	return rc;
}
