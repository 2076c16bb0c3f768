/* SPDX-License-Identifier: MIT */
/* Orphans, see orphan.h. Ordering: MO-29 (docs/memory-ordering.md). */
#include "cache.h"

/* A shared engine is likely to be wanted again soon; one with live objects is not looked at often. */
#define NAP_FIRST 50000000u
#define NAP_MOST 10000000000u
#define PATIENCE 10000000u

static struct bma__engine *first; /* [lock: merge] */
static uint64_t round_number;	  /* [lock: merge] */

void bma__orphan_add_locked(struct bma__engine *e)
{
	atomic_store_explicit(&e->dying, true, memory_order_seq_cst);
	e->orphan_nap = NAP_FIRST;
	e->orphan_due = bma__os_now() + NAP_FIRST;
	if (e->orphan)
		return;
	e->orphan = true;
	e->orphan_next = first;
	first = e;
}

void bma__orphan_add(struct bma__engine *e)
{
	bma__lock_take(&bma__merge_lock);
	bma__orphan_add_locked(e);
	bma__worker_look(e); /* it may be gone as soon as the lock is dropped */
	bma__lock_drop(&bma__merge_lock);
}

static uint64_t begin_round(void)
{
	uint64_t n;

	bma__lock_take(&bma__merge_lock);
	n = ++round_number;
	bma__lock_drop(&bma__merge_lock);
	return n;
}

/* The next one that is due at @now and was not looked at in this round; those that found a handle again are taken off the list. */
static struct bma__engine *take(uint64_t now, uint64_t round)
{
	struct bma__engine **link = &first, *e = NULL;

	bma__lock_take(&bma__merge_lock);
	while (*link && !e) {
		struct bma__engine *o = *link;

		if (o->refs) {
			*link = o->orphan_next;
			o->orphan = false;
			continue;
		}
		if (!o->reaped && o->orphan_round < round && o->orphan_due <= now)
			e = o;
		link = &o->orphan_next;
	}
	if (e) {
		e->reaped = true;
		e->orphan_round = round;
	}
	bma__lock_drop(&bma__merge_lock);
	return e;
}

static void unlink_locked(struct bma__engine *e)
{
	struct bma__engine **link = &first;

	while (*link != e)
		link = &(*link)->orphan_next;
	*link = e->orphan_next;
	if (e->shared)
		bma__merge_forget(e);
}

/* @home: all of it is. Nobody had it meanwhile. */
static void put(struct bma__engine *e, bool home)
{
	uint64_t nap = e->orphan_nap * 2;

	bma__lock_take(&bma__merge_lock);
	e->reaped = false;
	if (home)
		unlink_locked(e);
	e->orphan_nap = nap < NAP_MOST ? nap : NAP_MOST;
	e->orphan_due = bma__os_now() + e->orphan_nap;
	bma__lock_drop(&bma__merge_lock);
	if (home)
		bma__engine_free(e);
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
	uint64_t now = all ? UINT64_MAX : bma__os_now(), round = begin_round();
	struct bma__engine *e;

	while ((e = take(now, round)))
		put(e, bma__reclaim_orphan(e, PATIENCE));
	return until_next();
}

void bma__orphan_after_fork(void)
{
	for (struct bma__engine *e = first; e; e = e->orphan_next)
		e->reaped = false;
}
