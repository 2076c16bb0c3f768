/* SPDX-License-Identifier: MIT */
/* The public call that switches the heap profile on and off. */
#include "api.h"

#include <bma/profile.h>

#include <errno.h>

int bma_profile_set(size_t bytes)
{
	int rc;

	if (bytes > BMA_PROFILE_BYTES_MAX)
		return -EINVAL;
	rc = bma__init();
	if (rc)
		return rc;
	bma__lock_take(&bma__init_lock);
	rc = bma__profile_set(bytes);
	bma__lock_drop(&bma__init_lock);
	return rc;
}
