/* SPDX-License-Identifier: MIT */
/*
 * What caches that look at each call (checked.h) see in the objects' memory.
 *
 *	redzone   the bytes from the object's size to the next object hold ZONE while the user has it
 *	filling   all bytes of the object hold one value while it is free: POISON, or 0
 *
 * Invariant: the slab's filled bit of an object is set only while the object is free and filled; it is set after the
 * filling and cleared before the object is handed out, by who has the object in hand, and looked at there. An object that
 * was freed with free_rcu is filled after its grace period, for readers may look at it until then.
 *
 * A broken one is reported with the bytes around it, and aborts.
 */
#ifndef BMA_CACHE_DEBUG_H
#define BMA_CACHE_DEBUG_H

#include "engine.h"

/* Bytes that BMA_CACHE_REDZONE adds to an object at least. */
#define BMA__REDZONE 16u

/* The first byte of [from, end) that is not @value, or NULL. */
const unsigned char *bma__debug_other(const void *from, const void *end, unsigned char value);
/* Print @wrong and the bytes around it, none outside [from, end). */
void bma__debug_show_bytes(const unsigned char *wrong, const unsigned char *from,
			   const unsigned char *end);
/* The user gets @obj: look at the filling, set the redzone. Any context. */
void bma__debug_taken(struct bma__engine *e, struct bma__slab *slab, void *obj, const char *call);
/* The user gives @obj back by @call: look at the redzone. Any context. */
void bma__debug_given(struct bma__engine *e, void *obj, const char *call);
/* Fill a free object that nobody may look at any more. Any context. */
void bma__debug_fill(struct bma__engine *e, struct bma__slab *slab, void *obj);
/* All of a magazine in hand, after its grace period: nobody may look at them any more. */
void bma__debug_let_go(struct bma__engine *e, uintptr_t word);

/* An object that the user gets, or nobody any more: for guard pages and tools. Any context. */
void bma__debug_open(struct bma__engine *e, void *obj);
void bma__debug_close(struct bma__engine *e, void *obj);

/* Around a constructor or destructor, for an object that is nobody's. */
static inline void bma__debug_begin(struct bma__engine *e, void *obj)
{
	if (e->flags & BMA_CACHE_GUARD)
		bma__guard_open(obj, e->size);
	bma__tools_open(obj, e->size);
}

static inline void bma__debug_end(struct bma__engine *e, void *obj)
{
	bma__tools_close(obj, e->size);
	if (e->flags & BMA_CACHE_GUARD)
		bma__guard_close(obj, e->size);
}

static inline bool bma__debug_fills(const struct bma__engine *e)
{
	return e->flags & (BMA_CACHE_POISON | BMA_CACHE_ZERO_FREE);
}

#endif /* BMA_CACHE_DEBUG_H */
