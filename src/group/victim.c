/* SPDX-License-Identifier: MIT */
/*
 * Candidates of one event: all groups with a release function in the subtree of the one whose limit it is. Their handles are taken once, what is true of them again in each
 * round: a walk each, and a look-up by a hash, so that nothing takes longer than in proportion to how many there are.
 */
#include "group.h"

#include <string.h>

__extension__ typedef unsigned __int128 wide;

static uint32_t hash(const struct bma_group *group)
{
	return (uint32_t)((uintptr_t)group * 0x9e3779b97f4a7c15u >> 32);
}

static bool is_candidate(const struct bma__group *g)
{
	return g->oom && g->oom->release;
}

/* Room for @n and an index for twice as many; there are a few places of our own if that cannot be had. */
static uint32_t make_room(struct bma_oom *oom, uint32_t n)
{
	size_t places = 1;
	char *p;

	oom->all = oom->few;
	if (n <= BMA__OOM_FEW)
		return n;
	while (places < (size_t)2 * n)
		places *= 2;
	oom->mapped = n * sizeof oom->all[0] + places * sizeof oom->index[0];
	p = bma__meta_alloc(oom->mapped);
	if (!p)
		return BMA__OOM_FEW;
	oom->all = (struct bma__candidate *)(void *)p;
	oom->index = (uint32_t *)(void *)(p + n * sizeof oom->all[0]);
	oom->mask = (uint32_t)places - 1;
	return n;
}

static void enter(struct bma_oom *oom, struct bma_group *group)
{
	uint32_t at = hash(group);

	oom->all[oom->n++].group = group;
	if (!oom->index)
		return;
	while (oom->index[at & oom->mask])
		at++;
	oom->index[at & oom->mask] = oom->n;
}

/* Under the lock, after bma__group_protect(). */
static void look(struct bma__candidate *c)
{
	const struct bma__group *g = bma__group_of(c->group);

	c->gone = !g || !is_candidate(g);
	if (c->gone)
		return;
	c->usage = atomic_load_explicit(&g->usage, memory_order_relaxed);
	c->protection = g->effective_low > g->effective_min ? g->effective_low : g->effective_min;
	if (c->protection > c->usage)
		c->protection = c->usage;
	c->score = g->oom->release->score;
	c->last_victim_ns = g->oom->last_victim_ns;
	c->created_ns = g->created_ns;
}

void bma__victims_begin(struct bma_oom *oom, struct bma_group *group, uint64_t bytes)
{
	struct bma__group *top, *g = NULL;
	uint32_t n = 0, room;

	memset(oom, 0, sizeof *oom);
	oom->group = group;
	oom->bytes = bytes;
	bma__tree_lock();
	top = bma__group_of(group);
	while (top && (g = bma__group_next(top, g)))
		n += is_candidate(g);
	room = make_room(oom, n);
	while (top && oom->n < room && (g = bma__group_next(top, g))) {
		if (is_candidate(g))
			enter(oom, bma__group_handle(g));
	}
	bma__tree_unlock();
	bma__victims_refresh(oom);
}

void bma__victims_refresh(struct bma_oom *oom)
{
	struct bma__group *top;

	oom->at = 0;
	oom->selected = NULL;
	bma__tree_lock();
	top = bma__group_of(oom->group);
	if (top && oom->n)
		bma__group_protect(top);
	for (uint32_t i = 0; i < oom->n; i++)
		look(&oom->all[i]);
	bma__tree_unlock();
}

void bma__victims_end(struct bma_oom *oom)
{
	if (oom->all != oom->few)
		bma__meta_free(oom->all, oom->mapped);
}

/* It may have been destroyed since it was looked at. */
static bool ready(const struct bma__candidate *c)
{
	return !c->gone && !c->ignored && !c->failed && bma__group_of(c->group);
}

static struct bma__candidate *look_up(struct bma_oom *oom, const struct bma_group *group)
{
	uint32_t at = hash(group), i;

	if (oom->index) {
		while ((i = oom->index[at & oom->mask]) && oom->all[i - 1].group != group)
			at++;
		return i ? &oom->all[i - 1] : NULL;
	}
	for (i = 0; i < oom->n; i++) {
		if (oom->all[i].group == group)
			return &oom->all[i];
	}
	return NULL;
}

struct bma__candidate *bma__victim_find(struct bma_oom *oom, const struct bma_group *group)
{
	struct bma__candidate *c = look_up(oom, group);

	return c && ready(c) ? c : NULL;
}

bool bma__victim_next(struct bma_oom *oom, struct bma_oom_candidate *candidate)
{
	while (oom->at < oom->n) {
		const struct bma__candidate *c = &oom->all[oom->at++];

		if (!ready(c))
			continue;
		*candidate = (struct bma_oom_candidate){.group = c->group,
							.usage = c->usage,
							.protection = c->protection,
							.score = c->score,
							.last_victim_ns = c->last_victim_ns,
							.created_ns = c->created_ns};
		return true;
	}
	oom->at = 0;
	return false;
}

static uint64_t excess(const struct bma__candidate *c)
{
	return c->usage - c->protection;
}

/* Each: 1, 0 or -1: @a is a better, as good or a worse victim than @b. */
#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int largest(const struct bma__candidate *a, const struct bma__candidate *b)
{
	int order = ORDER(excess(a), excess(b));

	return order ? order : ORDER(a->usage, b->usage);
}

static int by_score(const struct bma__candidate *a, const struct bma__candidate *b)
{
	int order = ORDER(a->score, b->score);

	return order ? order : largest(a, b);
}

static int oldest(const struct bma__candidate *a, const struct bma__candidate *b)
{
	return ORDER(b->created_ns, a->created_ns);
}

/* From nothing at the least score to twice at the most. */
static wide weight(const struct bma__candidate *c)
{
	return (wide)excess(c) * (wide)(c->score - BMA_OOM_SCORE_MIN);
}

static int built_in(const struct bma__candidate *a, const struct bma__candidate *b)
{
	int order = ORDER(a->score != BMA_OOM_SCORE_MIN, b->score != BMA_OOM_SCORE_MIN);

	if (!order)
		order = ORDER(weight(a), weight(b));
	return order ? order : largest(a, b);
}

/* Of equals the first. One that is charged for nothing has nothing to give. */
static struct bma__candidate *best(struct bma_oom *oom,
				   int (*compare)(const struct bma__candidate *a,
						  const struct bma__candidate *b))
{
	struct bma__candidate *found = NULL;

	for (uint32_t i = 0; i < oom->n; i++) {
		struct bma__candidate *c = &oom->all[i];

		if (ready(c) && c->usage && (!found || compare(c, found) > 0))
			found = c;
	}
	return found;
}

struct bma__candidate *bma__victim_built_in(struct bma_oom *oom)
{
	return best(oom, built_in);
}

struct bma__candidate *bma__victim_largest(struct bma_oom *oom)
{
	return best(oom, largest);
}

struct bma__candidate *bma__victim_by_score(struct bma_oom *oom)
{
	return best(oom, by_score);
}

struct bma__candidate *bma__victim_oldest(struct bma_oom *oom)
{
	return best(oom, oldest);
}
