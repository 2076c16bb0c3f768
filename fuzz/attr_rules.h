/* SPDX-License-Identifier: MIT */
/* Which attributes a cache may have, from the words of cache.h and not from the code that tests them. */
#ifndef FUZZ_ATTR_RULES_H
#define FUZZ_ATTR_RULES_H

#include <bma/cache.h>

#include <errno.h>

#define ATTR_FLAGS ((uint64_t)0xffff)
#define ATTR_FILLINGS (BMA_CACHE_POISON | BMA_CACHE_ZERO_FREE)
#define ATTR_CHECKS                                                                                \
	(BMA_CACHE_DEBUG | BMA_CACHE_REDZONE | ATTR_FILLINGS | BMA_CACHE_TRACK |                   \
	 BMA_CACHE_QUARANTINE | BMA_CACHE_GUARD)
#define ATTR_NOT_PERCPU (BMA_CACHE_REDZONE | ATTR_FILLINGS | BMA_CACHE_GUARD | BMA_CACHE_KEY)
#define ATTR_REDZONE 16

/* The errno that bma_cache_create() is to give, 0: none. */
static inline int attr_error(const struct bma_cache_attr *a)
{
	if (a->attr_size != sizeof *a)
		return E2BIG;
	if (!a->size || a->size > BMA_CACHE_SIZE_MAX || a->flags & ~ATTR_FLAGS)
		return EINVAL;
	if (a->align & (a->align - 1) || a->align > BMA_CACHE_ALIGN_MAX)
		return EINVAL;
	if (a->flags & BMA_CACHE_DTOR_RECYCLE && !a->dtor)
		return EINVAL;
	if (a->flags & ATTR_FILLINGS && (a->ctor || a->dtor))
		return EINVAL;
	if (a->flags & BMA_CACHE_GUARD &&
	    (a->flags & BMA_CACHE_REDZONE || a->size > BMA_CACHE_SIZE_MAX / 2))
		return EINVAL;
	if (a->flags & BMA_CACHE_REDZONE && a->size > BMA_CACHE_SIZE_MAX - ATTR_REDZONE)
		return EINVAL;
	if (a->flags & BMA_CACHE_SAMPLE &&
	    (a->flags & (ATTR_CHECKS | BMA_CACHE_MERGE | BMA_CACHE_PERCPU) || a->ctor || a->dtor))
		return EINVAL;
	if (a->flags & BMA_CACHE_PERCPU && (a->flags & ATTR_NOT_PERCPU || a->ctor || a->dtor ||
					    a->align > 4096 || a->size > BMA_PERCPU_SIZE_MAX))
		return EINVAL;
	if ((a->high && a->high < a->batch) || (a->reserve && a->low > a->reserve))
		return EINVAL;
	return a->reserve > SIZE_MAX / 2 / a->size ? EINVAL : 0;
}

/* Does it share its memory? */
static inline int attr_shares(const struct bma_cache_attr *a)
{
	return a->flags & BMA_CACHE_MERGE && !a->ctor && !a->dtor && !a->low && !a->high &&
	       !a->batch && !a->reserve && !a->limbo_max;
}

/* Does it refuse to be destroyed while objects are live? */
static inline int attr_refuses(const struct bma_cache_attr *a)
{
	if (attr_shares(a))
		return !!(a->flags & BMA_CACHE_COUNT);
	return !(a->flags & BMA_CACHE_DESTROY_ASYNC);
}

#endif /* FUZZ_ATTR_RULES_H */
