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
	moved = (int)bma__worker_pass_all();
	if (flags & BMA_POLL_GP && bma__defer_pending()) {
		if (bma__defer_reading())
			return -EDEADLK;
		bma__defer_flush();
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
	bma__defer_flush();
	return 0;
}

int bma_shutdown(void)
{
	if (bma__init())
		return 0;
	if (bma__defer_reading())
		return -EDEADLK;
	bma__worker_stop();
	if (bma__defer_pending())
		bma__defer_flush();
	bma__defer_stop();
	return 0;
}
