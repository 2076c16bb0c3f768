/* SPDX-License-Identifier: MIT */
/* Light checks, see key.h. */
#include "cache.h"

#include <string.h>
#include <sys/auxv.h>

uint64_t bma__key_secret;

/* An offset in a slab has that many bits, so its product with a quotient of twice as many is exact. */
#define SHIFT (2 * BMA__CHUNK_SHIFT)

void bma__key_prepare(struct bma__engine *e)
{
	const struct bma__slab_geometry *geo = &e->geo;
	const char *random = (const char *)getauxval(AT_RANDOM);
	uint64_t bits = bma__os_now() ^ (uintptr_t)&bma__key_secret, none = 0;

	if (random)
		memcpy(&bits, random + 8, sizeof bits);
	/* Not the bytes themselves: the C library makes its guards of them. */
	bits = (bits ^ bits >> 29) * 0xbf58476d1ce4e5b9u | 1;
	__atomic_compare_exchange_n(&bma__key_secret, &none, bits, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	e->keyed = e->size >= 2 * sizeof(uint64_t) && !e->ctor && !e->dtor;
	/*
	 * Multiples of the stride, and no other 32-bit numbers, have a small product with this (Lemire, Kaser, Kurz
	 * 2019).
	 */
	e->key_stride = UINT64_MAX / geo->stride + 1;
	e->key_span = (((uint64_t)1 << SHIFT) + geo->span - 1) / geo->span;
	e->key_end = (geo->objs - 1) / geo->group * geo->span +
		     (geo->objs - 1) % geo->group * geo->stride;
}

bool bma__key_begins(const struct bma__engine *e, const struct bma__slab *slab, const void *obj)
{
	uint32_t offset = (uint32_t)((const char *)obj - slab->base);
	uint32_t group = (uint32_t)(e->key_span * offset >> SHIFT);
	uint32_t in = offset - group * e->geo.span;

	return offset <= e->key_end && in * e->key_stride < e->key_stride &&
	       in < e->geo.group * e->geo.stride;
}

void bma__key_check(struct bma__engine *e, const void *obj, const char *call)
{
	struct bma__slab *slab = bma__chunk_slab(obj);

	if (bma__unlikely(!slab || slab->owner != e || !bma__key_begins(e, slab, obj))) {
		/* Does not return, unless it is a guarded one. */
		bma__engine_slab(e, obj, call);
		return;
	}
	if (e->keyed && bma__unlikely(__atomic_load_n(bma__key_word(obj), __ATOMIC_RELAXED) ==
				      bma__key_of(obj)))
		bma__engine_misuse(e, obj, BMA__SLAB_DOUBLE, call);
}
