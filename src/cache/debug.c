/* SPDX-License-Identifier: MIT */
/* Redzones and filling, see debug.h. */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

#define ZONE 0xbb
#define POISON 0x6b
/* Bytes shown before and after a wrong one. */
#define AROUND 16

static unsigned char filling(const struct bma__engine *e)
{
	return e->flags & BMA_CACHE_ZERO_FREE ? 0 : POISON;
}

const unsigned char *bma__debug_other(const void *from, const void *end, unsigned char value)
{
	for (const unsigned char *p = from; p < (const unsigned char *)end; p++) {
		if (*p != value)
			return p;
	}
	return NULL;
}

static const unsigned char *first_other(const void *at, size_t n, unsigned char value)
{
	return bma__debug_other(at, (const char *)at + n, value);
}

void bma__debug_show_bytes(const unsigned char *wrong, const unsigned char *from,
			   const unsigned char *end)
{
	char line[(2 * AROUND + 1) * 4 + 1];
	size_t used = 0;

	if (wrong - from > AROUND)
		from = wrong - AROUND;
	if (end - wrong > AROUND + 1)
		end = wrong + AROUND + 1;
	for (const unsigned char *p = from; p < end; p++) {
		static const char digits[] = "0123456789abcdef";

		line[used++] = p == wrong ? '[' : ' ';
		line[used++] = digits[*p >> 4];
		line[used++] = digits[*p & 15];
		if (p == wrong)
			line[used++] = ']';
	}
	line[used] = 0;
	bma__log_line("  bytes from %p:%s", (const void *)from, line);
}

static void __attribute__((noreturn, cold))
broken(struct bma__engine *e, const void *obj, const unsigned char *wrong, const char *what,
       const char *call)
{
	bma__log_line("%s: cache \"%s\": object %p of %zu bytes: %s, first at byte %td", call,
		      e->name, obj, e->size, what, wrong - (const unsigned char *)obj);
	/* Without a redzone what is behind is another's, or a guard page. */
	bma__debug_show_bytes(wrong, obj,
			      (const unsigned char *)obj +
				      (e->flags & BMA_CACHE_REDZONE ? e->geo.stride : e->size));
	bma__track_show(e, obj);
	abort();
}

void bma__debug_taken(struct bma__engine *e, struct bma__slab *slab, void *obj, const char *call)
{
	const unsigned char *wrong = NULL;

	if (bma__debug_fills(e) && bma__slab_set_filled(slab, obj, false) &&
	    e->flags & BMA_CACHE_POISON)
		wrong = first_other(obj, e->size, filling(e));
	if (wrong)
		broken(e, obj, wrong, "was written to after it was freed", call);
	if (e->flags & BMA_CACHE_REDZONE)
		memset((char *)obj + e->size, ZONE, e->geo.stride - e->size);
}

void bma__debug_given(struct bma__engine *e, void *obj, const char *call)
{
	const unsigned char *wrong;

	if (!(e->flags & BMA_CACHE_REDZONE))
		return;
	wrong = first_other((char *)obj + e->size, e->geo.stride - e->size, ZONE);
	if (wrong)
		broken(e, obj, wrong, "was written to behind its end", call);
}

void bma__debug_fill(struct bma__engine *e, struct bma__slab *slab, void *obj)
{
	memset(obj, filling(e), e->size);
	bma__slab_set_filled(slab, obj, true);
}

void bma__debug_open(struct bma__engine *e, void *obj)
{
	if (e->flags & BMA_CACHE_GUARD)
		bma__guard_open(obj, e->size);
	if (e->flags & BMA__CACHE_TOOLS)
		bma__tools_taken(e, obj, e->size, !e->ctor);
}

void bma__debug_close(struct bma__engine *e, void *obj)
{
	if (e->flags & BMA__CACHE_TOOLS)
		bma__tools_given(e, obj, e->size);
	if (e->flags & BMA_CACHE_GUARD)
		bma__guard_close(obj, e->size);
}

void bma__debug_let_go(struct bma__engine *e, uintptr_t word)
{
	void **objs = bma__mag_elements(bma__mag_base(e->class, word));
	uint32_t n = bma__mag_count(e->class, word);

	for (uint32_t i = 0; i < n; i++) {
		struct bma__slab *slab = bma__engine_slab(e, objs[i], "grace period");

		/* What was freed plainly, and parked, was dealt with then. */
		if (!(e->flags & BMA_CACHE_DTOR_RECYCLE) && !bma__slab_was_rcu(slab, objs[i]))
			continue;
		if (bma__debug_fills(e))
			bma__debug_fill(e, slab, objs[i]);
		bma__debug_close(e, objs[i]);
	}
}
