/* SPDX-License-Identifier: MIT */
/* The public calls on per-CPU objects. */
#include "api.h"

uint64_t bma_percpu_copies(void)
{
	return bma__is_ready() ? bma__percpu.slots + 1 : 0;
}

uint64_t bma_percpu_sum_u64(const uint64_t *obj)
{
	return bma__percpu_sum(obj);
}
