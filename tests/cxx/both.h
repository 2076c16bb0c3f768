/* SPDX-License-Identifier: MIT */
/* An inline function that stands in two files: the linker keeps one and discards the other's pieces. */
#ifndef BMA_TEST_BOTH_H
#define BMA_TEST_BOTH_H

#include <bma/bma.h>

inline bool works(bma_cache *cache)
{
	void *p = bma_cache_alloc(cache);

	bma_cache_free(cache, p);
	return p != nullptr;
}

bool works_there(bma_cache *cache);

#endif
