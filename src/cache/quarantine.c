/* SPDX-License-Identifier: MIT */
/* Quarantine, see quarantine.h. */
#include "cache.h"

#include <errno.h>

/* Places; fewer for large objects. */
#define MOST 512u
#define LEAST 16u
#define BUDGET ((size_t)1 << 20)

static size_t bytes(const struct bma__engine *e)
{
	return e->quarantine_places * sizeof(e->quarantine[0]);
}

int bma__quarantine_make(struct bma__engine *e)
{
	size_t places = BUDGET / e->geo.stride;

	if (!(e->flags & BMA_CACHE_QUARANTINE))
		return 0;
	e->quarantine_places = (uint32_t)(places < LEAST ? LEAST : places > MOST ? MOST : places);
	e->quarantine = bma__meta_alloc(bytes(e));
	return e->quarantine ? 0 : -ENOMEM;
}

void bma__quarantine_free(struct bma__engine *e)
{
	if (e->quarantine)
		bma__meta_free(e->quarantine, bytes(e));
}

void *bma__quarantine_put(struct bma__engine *e, void *obj)
{
	uint64_t turn = atomic_fetch_add_explicit(&e->quarantine_turn, 1, memory_order_relaxed);
	void *out = atomic_exchange_explicit(&e->quarantine[turn % e->quarantine_places], obj,
					     memory_order_acq_rel);

	if (!out)
		atomic_fetch_add_explicit(&e->quarantined, 1, memory_order_relaxed);
	return out;
}

/* Under a ticket: an object is in hand between its place and the slot. */
void bma__quarantine_flush(struct bma__engine *e)
{
	struct bma__ticket ticket = bma__ticket_open(e);

	for (uint32_t i = 0; i < e->quarantine_places; i++) {
		void *obj = atomic_exchange_explicit(&e->quarantine[i], NULL, memory_order_acq_rel);

		if (!obj)
			continue;
		bma__slot_free(e, obj);
		atomic_fetch_sub_explicit(&e->quarantined, 1, memory_order_relaxed);
	}
	bma__ticket_close(&ticket);
}
