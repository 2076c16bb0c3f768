/* SPDX-License-Identifier: MIT */
/*
 * Caches whose frees get a light check (BMA_CACHE_KEY): is the address that of an object of this cache, and was the
 * object not freed a moment ago? The mask in the handle is 0, so that each call leaves by its slow half, which comes
 * here, and from here goes the way of a call that is not inlined, with the mask in the engine's head. The flags of
 * BMA__CACHE_CHECKS win over this one.
 *
 * Address: the tag of its unit says whose it is, a slab begins at a multiple of its size, and two multiplications say whether it is
 * where an object begins.
 *
 * Key: a plain free writes the process's secret, xored with the address, to the object's second word; an allocation
 * clears that word. So a free that finds it there is the second, or a stranger wrote one value of 2^64. After the key
 * of glibc's tcache. Invariant: from its allocation to its free an object's second word is the user's. Written by who
 * has the object in hand, before it is out of reach; a plain store, for a second free is a bug whether it is seen or
 * not. Objects of less than 16 bytes have no second word, and those of caches with constructor or destructor keep
 * theirs: of these only the address is looked at. Nor has a deferred free a key to write, for readers may look: it is
 * looked at only.
 */
#ifndef BMA_CACHE_KEY_H
#define BMA_CACHE_KEY_H

#include "engine.h"

/* Before the first engine with the flag, and each other one: what its checks need. May sleep. */
void bma__key_prepare(struct bma__engine *e);

/* An offset in a slab has half as many bits, so its product with a quotient of so many is exact. */
#define BMA__KEY_SHIFT (2 * BMA__CHUNK_SHIFT)

/*
 * Does an object begin there, in a slab of @e? As bma__slab_check(), without divisions and without looking at what
 * was carved.
 */
static inline bool bma__key_begins(const struct bma__engine *e, const void *obj)
{
	uint32_t offset = (uint32_t)((uintptr_t)obj & ~e->key_base);
	uint32_t group = (uint32_t)(e->key_span * offset >> BMA__KEY_SHIFT);
	uint32_t in = offset - group * e->geo.span;

	return offset <= e->key_end && in * e->key_stride < e->key_stride &&
	       in < e->geo.group * e->geo.stride;
}

/* What is wrong with it; returns for a guarded object only. */
void bma__key_bad(struct bma__engine *e, const void *obj, const char *call) __attribute__((cold));
/* Of the process; set before the first cache with keys is made. */
extern uint64_t bma__key_secret;

static inline uint64_t *bma__key_word(const void *obj)
{
	return (uint64_t *)(uintptr_t)obj + 1;
}

static inline uint64_t bma__key_of(const void *obj)
{
	return __atomic_load_n(&bma__key_secret, __ATOMIC_RELAXED) ^ (uintptr_t)obj;
}

/* The user gives @obj back by @call; aborts if it may not be. Any context. */
static inline void bma__key_check(struct bma__engine *e, const void *obj, const char *call)
{
	if (bma__unlikely(bma__chunk_tag(obj) != e->geo.tag || !bma__key_begins(e, obj)))
		bma__key_bad(e, obj, call);
	else if (e->keyed && bma__unlikely(__atomic_load_n(bma__key_word(obj), __ATOMIC_RELAXED) ==
					   bma__key_of(obj)))
		bma__key_bad(e, obj, call);
}

/* The user gets @obj. Any context. */
static inline void bma__key_taken(const struct bma__engine *e, void *obj)
{
	if (e->keyed)
		__atomic_store_n(bma__key_word(obj), 0, __ATOMIC_RELAXED);
}

/* It is free. Any context. */
static inline void bma__key_write(const struct bma__engine *e, void *obj)
{
	if (e->keyed)
		__atomic_store_n(bma__key_word(obj), bma__key_of(obj), __ATOMIC_RELAXED);
}

/* Is each call of this engine to be looked at in this way? */
static inline bool bma__key_has(const struct bma__engine *e)
{
	return e->flags & BMA_CACHE_KEY;
}

#endif /* BMA_CACHE_KEY_H */
