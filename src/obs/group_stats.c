/* SPDX-License-Identifier: MIT */
/* Figures of groups. */
#include "obs.h"

#include <errno.h>
#include <string.h>

/* One group of a visit: what is known of it from the beginning. */
struct seen {
	struct bma_group *handle;
	uint64_t low, min; /* effective */
};

static uint64_t get(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void limits(const struct bma__group *g, struct bma_group_stats *s)
{
	s->max = get(&g->max);
	s->high = get(&g->high);
	s->low = get(&g->low);
	s->min = get(&g->min);
}

static void counts(const struct bma__group *g, struct bma_group_stats *s)
{
	for (int i = 0; i < BMA_GROUP_EVENTS; i++) {
		s->events[i] = get(&g->events[i]);
		s->events_local[i] = get(&g->local[i]);
	}
	for (int i = 0; i < BMA_GROUP_CAUSES; i++)
		s->fails[i] = get(&g->fails[i]);
	s->throttled_ns = get(&g->throttled_ns);
	s->uncharged = get(&g->uncharged);
}

/* What the tree knows of a group, but for its effective protections. [lock: group] */
static void figures(struct bma__group *g, struct bma_group_stats *s)
{
	uint64_t below = 0, usage;

	memset(s, 0, sizeof *s);
	memcpy(s->name, g->name, sizeof s->name);
	s->depth = g->depth;
	s->offline = atomic_load_explicit(&g->state, memory_order_relaxed) == BMA__GROUP_GONE;
	s->groups = g->children;
	s->payers = g->payers;
	/* A charge reaches the lower one first: this order does not find more below than there is here. */
	for (const struct bma__group *c = g->child; c; c = c->next)
		below += get(&c->usage);
	usage = get(&g->usage);
	s->own = usage > below ? usage - below : 0;
	if (!bma__group_is_shared(g))
		bma__shared_refresh(g);
	s->current = bma__group_current(g);
	s->peak = get(&g->peak);
	if (s->offline && !bma__group_is_shared(g))
		s->current = s->own = bma__record_once_own(g);
	bma__record_figures(g, s);
	limits(g, s);
	counts(g, s);
}

int bma_group_stat(struct bma_group *group, struct bma_group_stats *stats, size_t size)
{
	struct bma_group_stats s;
	struct bma__group *g;

	if (!stats || !size)
		return -EINVAL;
	bma__tree_lock();
	g = bma__group_of(group);
	if (g) {
		bma__group_protect(bma__group_root);
		figures(g, &s);
		s.effective_low = g->effective_low;
		s.effective_min = g->effective_min;
	}
	bma__tree_unlock();
	if (!g)
		return -ESTALE;
	memcpy(stats, &s, size < sizeof s ? size : sizeof s);
	return 0;
}

/* All of @top's subtree, or, NULL, all shared groups, and how many; room for @most. [lock: group] */
static size_t take(struct bma__group *top, struct seen *seen, size_t most)
{
	struct bma__group *g = top ? NULL : bma__shared_first;
	size_t n = 0;

	for (; !top && g && n < most; g = g->next)
		seen[n++] = (struct seen){.handle = bma__group_handle(g)};
	if (!top)
		return n;
	bma__group_protect(bma__group_root);
	while (n < most && (g = bma__group_next(top, g)))
		seen[n++] = (struct seen){bma__group_handle(g), g->effective_low, g->effective_min};
	return n;
}

static int call(const struct seen *seen,
		int (*fn)(struct bma_group *group, const struct bma_group_stats *stats, void *arg),
		void *arg)
{
	struct bma_group_stats s;
	struct bma__group *g;

	bma__tree_lock();
	g = bma__group_of(seen->handle);
	if (g)
		figures(g, &s);
	bma__tree_unlock();
	if (!g)
		return 0;
	s.effective_low = seen->low;
	s.effective_min = seen->min;
	return fn(seen->handle, &s, arg);
}

/* @handle NULL: shared groups. */
static int visit(const struct bma_group *handle,
		 int (*fn)(struct bma_group *group, const struct bma_group_stats *stats, void *arg),
		 void *arg)
{
	struct bma__group *top;
	struct seen *seen;
	size_t most, n = 0;
	int rc = 0;

	bma__tree_lock();
	most = bma__group_count();
	bma__tree_unlock();
	seen = bma__meta_alloc(most * sizeof *seen);
	if (!seen)
		return -ENOMEM;
	bma__tree_lock();
	top = handle ? bma__group_of(handle) : NULL;
	if (top || !handle)
		n = take(top, seen, most);
	else
		rc = -ESTALE;
	bma__tree_unlock();
	for (size_t i = 0; i < n && !rc; i++)
		rc = call(&seen[i], fn, arg);
	bma__meta_free(seen, most * sizeof *seen);
	return rc;
}

int bma_group_visit(struct bma_group *group,
		    int (*fn)(struct bma_group *group, const struct bma_group_stats *stats,
			      void *arg),
		    void *arg)
{
	struct bma_group *handle = group ? group : bma_group_root();

	return handle ? visit(handle, fn, arg) : -ENOMEM;
}

int bma_shared_visit(int (*fn)(struct bma_group *shared, const struct bma_group_stats *stats,
			       void *arg),
		     void *arg)
{
	return bma_group_root() ? visit(NULL, fn, arg) : -ENOMEM;
}
