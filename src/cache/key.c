/* SPDX-License-Identifier: MIT */
/* Light checks, see key.h. */
#include "cache.h"

#include <string.h>
#include <sys/auxv.h>

uint64_t bma__key_secret;

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
	e->key_span = (((uint64_t)1 << BMA__KEY_SHIFT) + geo->span - 1) / geo->span;
	e->key_base = ~((uintptr_t)geo->units * BMA__UNIT_SIZE - 1);
	e->key_end = (geo->objs - 1) / geo->group * geo->span +
		     (geo->objs - 1) % geo->group * geo->stride;
}

void bma__key_bad(struct bma__engine *e, const void *obj, const char *call)
{
	/* Does not return, unless it is a guarded one, or one that nothing is wrong with but the key. */
	bma__engine_slab(e, obj, call);
	if (!bma__sample_has(obj))
		bma__engine_misuse(e, obj, BMA__SLAB_DOUBLE, call);
}
