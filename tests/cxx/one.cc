/* SPDX-License-Identifier: MIT */
#include "both.h"

int main()
{
	bma_cache_attr attr = {};
	bma_cache *cache;

	attr.attr_size = sizeof attr;
	attr.size = 64;
	cache = bma_cache_create(&attr);
	return cache && works(cache) && works_there(cache) && !bma_cache_destroy(cache) ? 0 : 1;
}
