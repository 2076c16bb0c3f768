/* SPDX-License-Identifier: MIT */
/*
 * Merging: engines that several handles share.
 *
 * An engine is shared by caches (and the classes of heaps) of equal object size, alignment, flags and flavour. Making
 * the next handle of one takes a lock, a look-up and a reference; what is allocated through one handle may be freed through
 * another. A shared engine that lost its last reference stays where it is, can be found and used again, and is
 * given back as any orphan is (orphan.h).
 *
 * A counted handle has the head of an engine that looks at each call, so that its calls come by bma__merge_count(), which adds
 * to a per-CPU counter; the engine itself, and its other handles, know nothing of it. The handles of a heap are counted in the same way, all by one counter.
 */
#ifndef BMA_CACHE_MERGE_H
#define BMA_CACHE_MERGE_H

#include "engine.h"
#include "percpu.h"
#include "record.h"

struct bma__merged {
	struct bma_cache cache;		 /* first: what the user has */
	struct bma__merged *next, *prev; /* [lock: merge] of the engine's handles */
	char name[BMA__NAME_MAX];
};

extern struct bma__lock bma__merge_lock;

/* A reference on the shared engine that @attr describes, made if need be; NULL and @rc. May sleep. */
struct bma__engine *bma__merge_get(const struct bma__engine_attr *attr, int *rc);
/* Give a reference back. May sleep. */
void bma__merge_put(struct bma__engine *e);
/* Take an engine out of those that can be found. Under the lock. */
void bma__merge_forget(struct bma__engine *e);

/* A handle, @counted or not; @payer: who pays for its objects, NULL: nobody in particular. May sleep. */
struct bma_cache *bma__merge_open(const struct bma__engine_attr *attr, bool counted,
				  const struct bma_group *payer, int *rc);
/* Returns 0, or -EBUSY if it is counted and objects of it are live, or reserves exist. May sleep. */
int bma__merge_close(struct bma_cache *cache);

/* NULL: it stands at the place of its engine. */
static inline struct bma__merged *bma__merge_of(struct bma_cache *cache)
{
	return cache->merged ? (struct bma__merged *)cache : NULL;
}

/* So many objects more, or less, are live by a handle that counts. Any context. */
static inline void bma__merge_count(struct bma_cache *cache, int64_t n)
{
	if (cache->record && cache->record->live)
		bma__percpu_add_slow(cache->record->live, (uint64_t)n);
}

/* Give @cache, a handle on @e, a place in the engine's table for @r, which remembers it as its @i-th; false: the table is full. May sleep. */
bool bma__merge_pay(struct bma__engine *e, struct bma_cache *cache, struct bma__record *r,
		    uint32_t i);

/* Call @fn with each handle of @e under the lock. May sleep. */
void bma__merge_visit(struct bma__engine *e, void (*fn)(struct bma__merged *m, void *arg),
		      void *arg);

#endif /* BMA_CACHE_MERGE_H */
