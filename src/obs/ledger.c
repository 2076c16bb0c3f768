/* SPDX-License-Identifier: MIT */
/*
 * The ledger: each byte is in one line, and the lines are never less than 0. Of an engine all lines but that of its slabs follow from counts of objects that add up
 * to those carved (stats.c), so what is left of its slabs is not less than 0 either.
 */
#include "obs.h"

#include <errno.h>
#include <string.h>

static uint64_t read(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

void bma__ledger_add(struct bma_ledger *l, const struct bma__engine *e,
		     const struct bma_cache_stats *s)
{
	uint64_t each = e->charge;

	l->live += s->live * each;
	l->cached += (s->cached + s->reserved) * each;
	l->limbo += s->limbo * each;
	l->parked += s->parked * each;
	l->slab_free +=
		s->slab_bytes - (s->live + s->cached + s->reserved + s->limbo + s->parked) * each;
}

void bma__ledger_end(struct bma_ledger *l)
{
	bma__flavor_for_each (f)
		l->limbo += read(&f->dying_bytes);
	l->live += bma__heap_large_bytes();
	l->slab_free += bma__purge_dirty();
	l->metadata = bma__meta_bytes() + bma__mag_bytes();
	l->resident = l->live + l->cached + l->limbo + l->parked + l->slab_free + l->metadata;
}

int bma_ledger_get(struct bma_ledger *ledger, size_t size)
{
	struct bma__engine *e = NULL;
	struct bma_ledger l = {0};

	if (!ledger || !size)
		return -EINVAL;
	while ((e = bma__engine_next(e))) {
		struct bma_cache_stats s;

		bma__stats_snapshot(e, &s);
		bma__ledger_add(&l, e, &s);
	}
	bma__ledger_end(&l);
	memcpy(ledger, &l, size < sizeof l ? size : sizeof l);
	return 0;
}
