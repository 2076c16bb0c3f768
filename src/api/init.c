/* SPDX-License-Identifier: MIT */
/* First use of the library. */
#include "api.h"

#include <stdlib.h>

#include <bma/version.h>

struct bma__lock bma__init_lock = BMA__LOCK_INIT(BMA__RANK_INIT);
static _Atomic bool done;

int bma__init(void)
{
	int rc = 0;

	if (atomic_load_explicit(&done, memory_order_acquire))
		return 0;
	bma__lock_take(&bma__init_lock);
	if (!atomic_load_explicit(&done, memory_order_relaxed)) {
		bma__env_parse(getenv("BMA_CONF"));
		bma__tools_init();
		rc = bma__group_init();
		if (!rc)
			rc = bma__engine_init();
		if (!rc)
			rc = bma__fork_init();
		if (!rc)
			bma__percpu_init();
		if (!rc)
			rc = bma__record_init();
		bma__group_wake = bma__worker_wake;
		if (!rc)
			atomic_store_explicit(&done, true, memory_order_release);
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
