/* SPDX-License-Identifier: MIT */
/* A cache, and a profile that has begun. */
#ifndef BMA_UNIT_PROFILE_H
#define BMA_UNIT_PROFILE_H

#include "cache/cache.h"

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline struct bma_cache *cache_with(const char *name, size_t size, uint64_t flags,
					   struct bma_group *group)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .name = name, .size = size, .flags = flags, .group = group};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static inline void start(size_t mean)
{
	setenv("BMA_CONF", "worker:off", 0);
	cr_assert_eq(bma_profile_set(mean), 0);
}

#endif /* BMA_UNIT_PROFILE_H */
