/* SPDX-License-Identifier: MIT */
#include "both.h"

bool works_there(bma_cache *cache)
{
	return works(cache);
}
