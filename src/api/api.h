/* SPDX-License-Identifier: MIT */
/* Layer 5: the public functions. Argument checks, handles, first use, fork; nothing else. */
#ifndef BMA_API_API_H
#define BMA_API_API_H

#include "cache/cache.h"
#include "group/group.h"

/* First use of the library: settings, mode, planes, fork handlers. May sleep. 0 or a negative
 * errno. */
int bma__init(void);
/*
 * Start the threads if they do not run (first use, or a child of fork). May sleep. A failure is no
 * error: the caller's own bma_poll() does the same work, and the next may-sleep call tries again.
 */
void bma__init_threads(void);

/*
 * One grace period for all that waits or fills, and what follows it. May sleep. Returns 0, -EDEADLK or -ETIMEDOUT as
 * bma_poll(BMA_POLL_GP).
 */
int bma__wait_period(void);

/*
 * The flags of a cache with what BMA_CONF and tools ask for, as far as objects of @size bytes can have it; @built: they have a
 * constructor or a destructor.
 */
uint64_t bma__cache_flags(uint64_t flags, size_t size, size_t align, bool built);

/* Parts of the calls on caches. Any context, but the one that may sleep. */
void *bma__cache_none(struct bma__engine *e);
/* In a guard (forbid.h), for calls that set errno. */
void *bma__cache_forbidden(void);
void *bma__cache_taken(struct bma_cache *cache, void *obj, const char *call);
void bma__cache_given(struct bma__engine *e, void *obj);
void *bma__cache_alloc_sleep(struct bma__engine *e);
/* Any context, unless @want says it may sleep. */
void *bma__cache_alloc_on(struct bma__engine *e, const struct bma__numa_want *want);

/* The calls on handles whose objects have owners. */
void *bma__owned_alloc(struct bma_cache *cache);
/* The same where @quick says that nothing else is to be done. */
void *bma__owned_alloc_quick(struct bma_cache *cache);
void bma__owned_free_quick(struct bma_cache *cache, void *obj);
void *bma__owned_alloc_sleep(struct bma_cache *cache);
void *bma__owned_alloc_on(struct bma_cache *cache, const struct bma__numa_want *want);
void bma__owned_free(struct bma_cache *cache, void *obj);
/* The user has it no more; it is charged until its grace period is over. */
void bma__owned_deferred(struct bma_cache *cache, const void *obj);
/* Those that were freed while they were pinned, and are not any more. May sleep. */
void bma__owned_free_pinned(struct bma__pin_object *freed);

/* Can a group have this name? 0 or -EINVAL. */
int bma__group_check_name(const char *call, const char *name);

/* Who is to pay for what is created: @named, or the caller's active group; NULL: nobody in particular. */
static inline const struct bma_group *bma__payer(const struct bma_group *named)
{
	return named ? named : bma_group_active();
}

/* Register the fork handlers, once. Returns 0 or -ENOMEM. */
int bma__fork_init(void);

extern struct bma__lock bma__init_lock;

#endif /* BMA_API_API_H */
