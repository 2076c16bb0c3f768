/* SPDX-License-Identifier: MIT */
/*
 * Caches whose every call is looked at: those that check each free (BMA_CACHE_DEBUG), and those whose plain free
 * has to wait, because a destructor runs first (BMA_CACHE_DTOR_RECYCLE), or look at objects (debug.h), or at who has
 * them (track.h), or put them off (quarantine.h), or clear the copies of an object (percpu.h). The mask in their handle is 0, so that
 * each hot call leaves by its slow half, which comes here; other caches pay nothing.
 *
 * Invariant, where frees are checked: the live bit of an object is set while the user has it. A free clears it by
 * one atomic AND; whoever finds it cleared is the second.
 */
#ifndef BMA_CACHE_CHECKED_H
#define BMA_CACHE_CHECKED_H

#include "engine.h"

/* The calls. Any context. */
void bma__checked_free(struct bma__engine *e, void *obj);
void bma__checked_free_rcu(struct bma__engine *e, void *obj,
			   bool heedless); /* as bma__limbo_free() */
/* The user gets @obj, which is not NULL, by @call. */
void bma__checked_taken(struct bma__engine *e, void *obj, const char *call);

#endif /* BMA_CACHE_CHECKED_H */
