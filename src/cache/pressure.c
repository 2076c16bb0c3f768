/* SPDX-License-Identifier: MIT */
/* Pressure, see pressure.h. */
#include "cache.h"

#define TRIES 5u
#define PATIENCE 10000000u
/* Nanoseconds between two reclaims for one group by the worker; groups whose turns it remembers. */
#define PACE 10000000u
#define SERVED 64u

uint64_t bma__pressure_usage(const struct bma_group *group)
{
	const struct bma__group *g = bma__group_of(group);

	return g ? atomic_load_explicit(&g->usage, memory_order_relaxed) : UINT64_MAX;
}

static uint64_t freed_since(const struct bma_group *group, uint64_t before)
{
	uint64_t now = bma__pressure_usage(group);

	return before > now ? before - now : 0;
}

static bool drain_stocks(const struct bma_group *group)
{
	struct bma__group *top;

	bma__tree_lock();
	top = bma__group_of(group);
	if (top)
		bma__stock_drain(top);
	bma__tree_unlock();
	return top;
}

/* What may be taken from @g in a round. Under the lock, after bma__group_protect() under the same. */
static uint64_t unprotected(const struct bma__group *g, bool heed_low)
{
	uint64_t usage = bma__group_current(g);
	uint64_t spared = g->effective_min;

	if (heed_low && g->effective_low > spared)
		spared = g->effective_low;
	return usage > spared ? usage - spared : 0;
}

/* The groups in a subtree that something may be taken from: a bit for the place of each. */
struct chosen {
	uint64_t word[BMA_GROUPS_MAX / 64 + 1];
};

static void choose(const struct bma_group *group, bool heed_low, struct chosen *out)
{
	struct bma__group *top, *g = NULL;

	bma__tree_lock();
	top = bma__group_of(group);
	if (top)
		bma__group_protect(top);
	while (top && (g = bma__group_next(top, g))) {
		uint32_t i = bma__group_index(g);

		if (unprotected(g, heed_low))
			out->word[i / 64] |= 1ull << i % 64;
	}
	bma__tree_unlock();
}

static bool is_chosen(const struct chosen *chosen, const struct bma__record *r)
{
	const struct bma__group *g = atomic_load_explicit(&r->group, memory_order_relaxed);
	uint32_t i = bma__group_index(g);

	return chosen->word[i / 64] >> i % 64 & 1;
}

/* Engines that pay by the slab. */
static void drain_chosen(const struct chosen *chosen, const struct bma_group *group,
			 uint64_t before, uint64_t bytes)
{
	struct bma__engine *e = NULL;

	while ((e = bma__engine_next(e))) {
		if (!e->record || e->record == bma__record_root ||
		    atomic_load_explicit(&e->dying, memory_order_relaxed) ||
		    !is_chosen(chosen, e->record))
			continue;
		bma__reclaim_drain(e, PATIENCE, NULL);
		/* Others wait for the worker. */
		if (!bma__worker_is_caller())
			bma__defer_help_slabs(e);
		if (freed_since(group, before) >= bytes) {
			bma__engine_unpin(e);
			return;
		}
	}
}

static void drain_engines(const struct bma_group *group, bool heed_low, uint64_t before,
			  uint64_t bytes)
{
	struct chosen *chosen = bma__meta_alloc(sizeof *chosen);

	if (!chosen)
		return;
	choose(group, heed_low, chosen);
	drain_chosen(chosen, group, before, bytes);
	bma__meta_free(chosen, sizeof *chosen);
}

struct share {
	struct bma_group *group;
	uint64_t bytes;
};

/*
 * The groups with shrinkers in the subtree that something may be taken from, after the first @skip of them. Returns how many, at most @n.
 */
static uint32_t shares(const struct bma_group *group, bool heed_low, uint32_t skip,
		       struct share *out, uint32_t n)
{
	struct bma__group *top, *g = NULL;
	uint32_t got = 0;

	bma__tree_lock();
	top = bma__group_of(group);
	if (top)
		bma__group_protect(top);
	while (top && got < n && (g = bma__group_next(top, g))) {
		uint64_t may = unprotected(g, heed_low);

		if (!g->shrinkers || !may || (skip && skip--))
			continue;
		out[got].group = bma__group_handle(g);
		out[got++].bytes = may;
	}
	bma__tree_unlock();
	return got;
}

static void run_shrinkers(const struct bma_group *group, bool heed_low, uint64_t before,
			  uint64_t bytes)
{
	struct share share[16];
	uint32_t skip = 0, n;

	do {
		n = shares(group, heed_low, skip, share, 16);
		for (uint32_t i = 0; i < n; i++) {
			uint64_t freed = freed_since(group, before), want;

			if (freed >= bytes)
				return;
			want = bytes - freed < share[i].bytes ? bytes - freed : share[i].bytes;
			if (bma__shrinkers_run(share[i].group, want))
				drain_stocks(group);
		}
		skip += n;
	} while (n == 16);
}

/* All below @group that low protects is reclaimed from now on. */
static void count_low(const struct bma_group *group)
{
	struct bma__group *top, *g = NULL;

	bma__tree_lock();
	top = bma__group_of(group);
	if (top)
		bma__group_protect(top);
	while (top && (g = bma__group_next(top, g))) {
		if (g != top && g->effective_low &&
		    atomic_load_explicit(&g->usage, memory_order_relaxed) <= g->effective_low)
			bma__group_event(g, BMA_GROUP_EVENT_LOW);
	}
	bma__tree_unlock();
}

static bool has_low(const struct bma_group *group)
{
	struct bma__group *top, *g = NULL;
	bool has = false;

	bma__tree_lock();
	top = bma__group_of(group);
	if (top)
		bma__group_protect(top);
	while (top && !has && (g = bma__group_next(top, g)))
		has = g->effective_low > g->effective_min;
	bma__tree_unlock();
	return has;
}

uint64_t bma__pressure_reclaim(const struct bma_group *group, uint64_t bytes)
{
	uint64_t before = bma__pressure_usage(group);
	bool low;

	if (!drain_stocks(group) || freed_since(group, before) >= bytes)
		return freed_since(group, before);
	low = has_low(group);
	for (int round = 0; round < 1 + low; round++) {
		bool heed_low = low && !round;

		if (round)
			count_low(group);
		drain_engines(group, heed_low, before, bytes);
		if (freed_since(group, before) < bytes)
			run_shrinkers(group, heed_low, before, bytes);
		if (freed_since(group, before) >= bytes)
			break;
	}
	/* What shrinkers freed stands in magazines of caches that pay by the slab. */
	if (freed_since(group, before) < bytes)
		drain_engines(group, false, before, bytes);
	return freed_since(group, before);
}

uint64_t bma__pressure_flush(const struct bma_group *group, uint64_t before, uint64_t bytes)
{
	if (drain_stocks(group) && freed_since(group, before) < bytes)
		drain_engines(group, false, before, bytes);
	return freed_since(group, before);
}

static void count_event(const struct bma_group *group, enum bma_group_event event)
{
	struct bma__group *g;

	bma__tree_lock();
	g = bma__group_of(group);
	if (g)
		bma__group_event(g, event);
	if (g && event == BMA_GROUP_EVENT_OOM)
		BMA__PROBE(group_oom, g->name,
			   atomic_load_explicit(&g->usage, memory_order_relaxed),
			   atomic_load_explicit(&g->max, memory_order_relaxed));
	bma__tree_unlock();
}

/* Others give back, too, and take what this one found. */
static bool has_room(const struct bma_group *group, uint64_t bytes)
{
	const struct bma__group *g;
	bool has;

	bma__tree_lock();
	g = bma__group_of(group);
	has = !g || bma__group_room(g) >= bytes;
	bma__tree_unlock();
	return has;
}

static bool reclaimed(struct bma__pressure *p, const struct bma_group *group)
{
	if (p->tries == TRIES)
		return false;
	p->tries++;
	return bma__pressure_reclaim(group, p->bytes) || has_room(group, p->bytes);
}

bool bma__pressure_relieve(struct bma__pressure *p, struct bma_group *group)
{
	uint64_t now;
	bool made;

	p->group = group;
	/* Not for who is asked who is to give memory back. */
	if (!group || bma__forbidden())
		return false;
	p->since = bma__os_now();
	made = reclaimed(p, group) || bma__oom_relieve(p, group);
	now = bma__os_now();
	bma__stall_add(group, now - p->since, now);
	return made;
}

struct bma_group *bma__pressure_refuser(const struct bma_group *group, uint64_t bytes)
{
	struct bma_group *refuser = NULL;
	const struct bma__group *first, *g;

	bma__tree_lock();
	first = bma__group_of(group);
	for (g = first; g; g = g->parent) {
		uint64_t max = atomic_load_explicit(&g->max, memory_order_relaxed);
		uint64_t usage = bma__group_current(g);

		if (usage > max || max - usage < bytes)
			break;
	}
	if (first)
		refuser = bma__group_handle(g ? g : first);
	bma__tree_unlock();
	return refuser;
}

void bma__pressure_end(const struct bma__pressure *p, const struct bma__record *r, bool went_on)
{
	if (p->group)
		count_event(p->group, went_on ? BMA_GROUP_EVENT_OOM_RECLAIM : BMA_GROUP_EVENT_OOM);
	if (!went_on)
		bma__group_fail(atomic_load_explicit(&r->group, memory_order_relaxed),
				BMA_GROUP_FAIL_LIMIT);
}

static bool charge(struct bma__record *r, uint64_t bytes, bool large)
{
	struct bma__pressure p = {.bytes = bytes};
	struct bma__refusal why = {0};
	bool done;

	while (!(done = large ? bma__stock_charge_slab(r, bytes, true, true, &why)
			      : bma__stock_charge_wait(r, bytes, &why)) &&
	       bma__pressure_relieve(&p, why.group))
		;
	if (bma__unlikely(p.tries))
		bma__pressure_end(&p, r, done);
	/* Not who lives on what was charged ahead: it is the charge that is slowed down. */
	if (done && (large || why.walked))
		bma__pressure_throttle(r);
	return done;
}

bool bma__pressure_charge(struct bma__record *r, uint64_t bytes)
{
	return charge(r, bytes, false);
}

bool bma__pressure_charge_large(struct bma__record *r, uint64_t bytes)
{
	return charge(r, bytes, true);
}

void bma__pressure_throttle(struct bma__record *r)
{
	const struct bma_group *group;
	uint64_t penalty = bma__stock_penalty(r, &group), begun, now;

	if (!penalty)
		return;
	begun = bma__os_now();
	bma__os_sleep(penalty);
	now = bma__os_now();
	bma__stall_add(group, now - begun, now);
}

/* Above high or max: by how much. */
static uint64_t excess(const struct bma_group *group)
{
	const struct bma__group *g = bma__group_of(group);
	uint64_t usage, limit, max;

	if (!g)
		return 0;
	usage = bma__group_current(g);
	limit = atomic_load_explicit(&g->high, memory_order_relaxed);
	max = atomic_load_explicit(&g->max, memory_order_relaxed);
	limit = max < limit ? max : limit;
	return usage > limit ? usage - limit : 0;
}

static void serve(struct bma_group *group, uint32_t work)
{
	if (work & BMA__GROUP_WORK_RECLAIM) {
		uint64_t more = excess(group);

		/* One that was refused at its limit: what can be had at no cost to anybody. */
		if (more)
			bma__pressure_reclaim(group, more);
		else
			drain_stocks(group);
	}
	if (work & BMA__GROUP_WORK_NOTIFY)
		bma__notify_run(group);
}

static _Atomic bool busy; /* a pass is under way */

void bma__pressure_after_fork(void)
{
	atomic_store_explicit(&busy, false, memory_order_relaxed);
}

/*
 * Who hits a limit all the time asks again while he is served: in one pass, and within some milliseconds, each is reclaimed for once. What is put off is still asked for, so it wakes
 * nobody.
 */
uint64_t bma__pressure_pass(void)
{
	static struct {
		struct bma_group *group;
		uint64_t due;
	} served[SERVED]; /* [the one pass at a time] */
	uint64_t nap = UINT64_MAX, now = bma__os_now();
	struct bma_group *off[SERVED], *group;
	uint32_t work, n = 0;

	bma__oom_serve();
	if (atomic_exchange_explicit(&busy, true, memory_order_acquire))
		return PACE;
	while (n < SERVED && (group = bma__group_take_work(&work))) {
		uint32_t at = bma__group_index(bma__group_of(group)) % SERVED;

		if (served[at].group == group && served[at].due > now &&
		    work & BMA__GROUP_WORK_RECLAIM) {
			off[n++] = group;
			nap = PACE;
			work &= ~(uint32_t)BMA__GROUP_WORK_RECLAIM;
		}
		serve(group, work);
		if (work & BMA__GROUP_WORK_RECLAIM) {
			served[at].group = group;
			served[at].due = bma__os_now() + PACE;
			now = bma__os_now();
		}
	}
	while (n) {
		struct bma__group *g = bma__group_of(off[--n]);

		if (g)
			bma__group_want_later(g, BMA__GROUP_WORK_RECLAIM);
	}
	atomic_store_explicit(&busy, false, memory_order_release);
	bma__record_reap();
	return nap;
}

void bma__pressure_trim(void)
{
	bma__tree_lock();
	bma__stock_drain(bma__group_root);
	bma__tree_unlock();
	bma__record_reap();
}
