/* SPDX-License-Identifier: MIT */
/* Orphans, see orphan.h. */
#include "cache.h"

/* A shared engine is likely to be wanted again soon; one with live objects is not looked at often. */
#define NAP_FIRST 50000000u
#define NAP_MOST 10000000000u
#define PATIENCE 10000000u

static struct bma__engine *first; /* [lock: merge] */

void bma__orphan_add_locked(struct bma__engine *e)
{
	if (e->orphan)
		return;
	atomic_store_explicit(&e->dying, true, memory_order_seq_cst);
	e->orphan = true;
	e->orphan_nap = NAP_FIRST;
	e->orphan_due = bma__os_now() + NAP_FIRST;
	e->orphan_next = first;
	first = e;
}

void bma__orphan_add(struct bma__engine *e)
{
	bma__lock_take(&bma__merge_lock);
	bma__orphan_add_locked(e);
	bma__lock_drop(&bma__merge_lock);
	bma__worker_kick(e);
}

/* The next one that is due at @now, nobody's any more; those that found a handle again are taken off the list. */
static struct bma__engine *take(uint64_t now)
{
	struct bma__engine **link = &first, *e = NULL;

	bma__lock_take(&bma__merge_lock);
	while (*link && !e) {
		struct bma__engine *o = *link;

		if (!o->refs && o->orphan_due > now) {
			link = &o->orphan_next;
			continue;
		}
		*link = o->orphan_next;
		o->orphan = false;
		if (o->refs)
			continue;
		if (o->shared)
			bma__merge_forget(o);
		e = o;
	}
	bma__lock_drop(&bma__merge_lock);
	return e;
}

static void back(struct bma__engine *e)
{
	uint64_t nap = e->orphan_nap * 2;

	bma__lock_take(&bma__merge_lock);
	if (e->shared)
		bma__merge_remember(e);
	bma__orphan_add_locked(e);
	e->orphan_nap = nap < NAP_MOST ? nap : NAP_MOST;
	e->orphan_due = bma__os_now() + e->orphan_nap;
	bma__lock_drop(&bma__merge_lock);
}

static uint64_t until_next(void)
{
	uint64_t next = UINT64_MAX, now = bma__os_now();

	bma__lock_take(&bma__merge_lock);
	for (struct bma__engine *e = first; e; e = e->orphan_next) {
		uint64_t wait = e->orphan_due > now ? e->orphan_due - now : 0;

		next = wait < next ? wait : next;
	}
	bma__lock_drop(&bma__merge_lock);
	return next;
}

uint64_t bma__orphan_reap(bool all)
{
	uint64_t now = all ? UINT64_MAX : bma__os_now();
	struct bma__engine *kept = NULL, *e;

	while ((e = take(now))) {
		if (bma__reclaim_orphan(e, PATIENCE)) {
			bma__engine_free(e);
			continue;
		}
		/* Not back at once, or it would be taken again. */
		e->orphan_next = kept;
		kept = e;
	}
	while (kept) {
		e = kept;
		kept = e->orphan_next;
		back(e);
	}
	return until_next();
}
