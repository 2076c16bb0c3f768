/* SPDX-License-Identifier: MIT */
/* Pages of free units, see purge.h. */
#include "page.h"

#include "units.h"

#include <string.h>
#include <sys/mman.h>

#define THP_ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"

/* What the system keeps, as it does what mlock() is for, it keeps for longer than purge_ms may be. Nanoseconds. */
#define PATIENCE 100000000u

struct bma__lock bma__advise_lock = BMA__LOCK_INIT(BMA__RANK_ADVISE);
void (*bma__purge_wake)(void);
static struct bma__chunk_list waiting[BMA__NODE_KINDS], held[BMA__NODE_KINDS];
static bool awake; /* [lock: chunk] who gives back looks again by itself */
static bool
	kept_some; /* [lock: chunk] the system would not take all, since the worker was last told when to look */
static bool huge; /* chunks may be huge pages */
static _Atomic uint64_t dirty, given;

void bma__purge_init(void)
{
	char text[64];
	int n = bma__os.read(THP_ENABLED, text, sizeof text - 1);

	text[n > 0 ? n : 0] = 0;
	huge = bma__env.thp || strstr(text, "[always]");
}

static void list_add(struct bma__chunk_list *list, struct bma__chunk *c)
{
	c->dirties = list;
	c->newer = NULL;
	c->older = list->last;
	if (c->older)
		c->older->newer = c;
	else
		list->first = c;
	list->last = c;
}

static void list_del(struct bma__chunk *c)
{
	struct bma__chunk_list *list = c->dirties;

	if (!list)
		return;
	if (c->older)
		c->older->newer = c->newer;
	else
		list->first = c->newer;
	if (c->newer)
		c->newer->older = c->older;
	else
		list->last = c->older;
	c->dirties = NULL;
}

static uint64_t bytes_of(const struct bma__chunk *c, uint32_t mask)
{
	return (uint64_t)__builtin_popcount(mask) * BMA__UNIT_SIZE * bma__chunk_copies(c);
}

/* Units in hand count as used. */
static bool must_stay(const struct bma__chunk *c)
{
	return huge && 2 * __builtin_popcount(c->free) < BMA__CHUNK_UNITS;
}

static void wait_from(struct bma__chunk *c, uint64_t since)
{
	c->since = since;
	list_add(&waiting[c->node], c);
	if (awake)
		return;
	awake = true;
	if (bma__purge_wake)
		bma__purge_wake();
}

void bma__purge_add(struct bma__chunk *c, uint32_t mask)
{
	c->dirty |= mask;
	atomic_fetch_add_explicit(&dirty, bytes_of(c, mask), memory_order_relaxed);
	if (c->dirties == &held[c->node] && !must_stay(c))
		list_del(c);
	if (!c->dirties)
		wait_from(c, bma__os_now());
}

void bma__purge_drop(struct bma__chunk *c, uint32_t mask)
{
	c->dirty &= ~mask;
	atomic_fetch_sub_explicit(&dirty, bytes_of(c, mask), memory_order_relaxed);
	if (!c->dirty)
		list_del(c);
}

struct bma__chunk *bma__purge_find(uint32_t node, uint32_t units, uint32_t *first)
{
	struct bma__chunk_list *const lists[] = {&waiting[node], &held[node]};

	for (int i = 0; i < 2; i++) {
		for (struct bma__chunk *c = lists[i]->last; c; c = c->older) {
			*first = bma__chunk_find_run(c->dirty, units);
			if (*first < BMA__CHUNK_UNITS)
				return c;
		}
	}
	return NULL;
}

/* Neighbours in one call. Returns those that the system kept. */
static uint32_t advise(const struct bma__chunk *c, uint32_t mask)
{
	uint32_t kept = 0;

	while (mask) {
		uint32_t first = (uint32_t)__builtin_ctz(mask);
		uint32_t n = (uint32_t)__builtin_ctzll(~((uint64_t)mask >> first));
		uint32_t run = bma__chunk_run_mask(n, first);

		mask &= ~run;
		for (uint32_t i = 0; i < bma__chunk_copies(c); i++) {
			if (bma__os.advise(c->base + i * BMA__CHUNK_SIZE + first * BMA__UNIT_SIZE,
					   n * BMA__UNIT_SIZE, MADV_DONTNEED))
				kept |= run;
		}
	}
	return kept;
}

static void count_given(uint64_t bytes)
{
	atomic_fetch_sub_explicit(&dirty, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&given, bytes, memory_order_relaxed);
}

/* The dirty units of @c. [locks: advise, chunk; the latter is dropped meanwhile] */
static void give_units(struct bma__chunk *c, uint64_t now)
{
	uint32_t mask = c->dirty, kept;

	bma__chunk_take(c, mask);
	c->dirty = 0;
	bma__lock_drop(&bma__chunk_lock);
	kept = advise(c, mask);
	bma__lock_take(&bma__chunk_lock);
	count_given(bytes_of(c, mask & ~kept));
	bma__chunk_put(c, mask);
	c->dirty |= kept; /* beside what was freed meanwhile */
	kept_some |= kept;
	if (kept && !c->dirties)
		wait_from(c, now + 1);
}

/*
 * All of @c. Forgotten before it is unmapped: from then on its address may be that of the next chunk. One that the system keeps is tried again
 * after another purge_ms. [locks: as above]
 */
static void give_chunk(struct bma__chunk *c, uint64_t now)
{
	bma__chunk_take(c, BMA__UNITS_ALL);
	bma__chunk_hide(c);
	bma__lock_drop(&bma__chunk_lock);
	if (bma__os.unmap(c->base, bma__chunk_copies(c) * BMA__CHUNK_SIZE)) {
		advise(c, c->dirty);
		bma__lock_take(&bma__chunk_lock);
		bma__chunk_show(c);
		bma__chunk_put(c, BMA__UNITS_ALL);
		kept_some = true;
		wait_from(c, now + 1);
		return;
	}
	BMA__PROBE(chunk_unmap, c->base, bma__chunk_copies(c) * BMA__CHUNK_SIZE, c->node);
	bma__lock_take(&bma__chunk_lock);
	count_given(bytes_of(c, c->dirty));
	c->dirty = 0;
	bma__chunk_gone(c);
}

/* One chunk of @node that is due. False: there is none. In between others get the locks. */
static bool give_one(uint32_t node, uint64_t now, uint64_t period)
{
	struct bma__chunk *c;
	bool due;

	bma__lock_take(&bma__advise_lock);
	bma__lock_take(&bma__chunk_lock);
	c = waiting[node].first;
	due = c && c->since + period <= now;
	if (due) {
		list_del(c);
		if (must_stay(c))
			list_add(&held[node], c);
		else if (c->free == BMA__UNITS_ALL && bma__chunk_empty[node] > 1)
			give_chunk(c, now);
		else
			give_units(c, now);
	}
	bma__lock_drop(&bma__chunk_lock);
	bma__lock_drop(&bma__advise_lock);
	return due;
}

static void give_due(uint64_t now, uint64_t period)
{
	for (uint32_t node = 0; node < BMA__NODE_KINDS; node++) {
		while (give_one(node, now, period))
			;
	}
}

/* When the first of those that wait is due. */
static uint64_t next_due(uint64_t now)
{
	uint64_t next = UINT64_MAX;

	bma__lock_take(&bma__chunk_lock);
	for (uint32_t node = 0; node < BMA__NODE_KINDS; node++) {
		const struct bma__chunk *c = waiting[node].first;
		uint64_t at = c ? c->since + bma__env.purge_ns : UINT64_MAX;

		next = at < next ? at : next;
	}
	awake = next != UINT64_MAX;
	if (kept_some && next < now + PATIENCE)
		next = now + PATIENCE;
	kept_some = false;
	bma__lock_drop(&bma__chunk_lock);
	if (next == UINT64_MAX)
		return next;
	return next > now ? next - now : 0;
}

uint64_t bma__purge_tick(uint64_t now)
{
	give_due(now, bma__env.purge_ns);
	return next_due(now);
}

void bma__purge_all(void)
{
	give_due(bma__os_now(), 0);
}

uint64_t bma__purge_dirty(void)
{
	return atomic_load_explicit(&dirty, memory_order_relaxed);
}

uint64_t bma__purge_given(void)
{
	return atomic_load_explicit(&given, memory_order_relaxed);
}
