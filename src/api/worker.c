/* SPDX-License-Identifier: MIT */
/* The public calls that do the worker's work, or stop it. */
#include "api.h"

#include <errno.h>

int bma_poll(unsigned int flags)
{
	int moved;

	if (flags & ~BMA_POLL_GP)
		return -EINVAL;
	if (bma__init())
		return 0;
	bma__init_threads();
	moved = (int)bma__worker_pass_all();
	if (flags & BMA_POLL_GP && bma__defer_pending()) {
		if (bma__defer_reading())
			return -EDEADLK;
		if (!bma__defer_flush())
			return -ETIMEDOUT;
	}
	return moved;
}

int bma_trim(void)
{
	if (bma__init())
		return 0;
	bma__reclaim_all();
	if (!bma__defer_pending())
		return 0;
	if (bma__defer_reading())
		return -EDEADLK;
	bma__init_threads();
	return bma__defer_flush() ? 0 : -ETIMEDOUT;
}

int bma_shutdown(void)
{
	if (bma__init())
		return 0;
	if (bma__defer_reading())
		return -EDEADLK;
	bma__worker_stop();
	if (bma__defer_pending() && !bma__defer_flush())
		return -ETIMEDOUT;
	bma__defer_stop();
	return 0;
}
