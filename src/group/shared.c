/* SPDX-License-Identifier: MIT */
/* Shared groups, see shared.h: what hangs from groups, pinned bytes, the end. */
#include "group.h"

#include <errno.h>

struct bma__sharing *bma__sharing_of(struct bma__group *g)
{
	if (g->sharing)
		return g->sharing;
	g->sharing = bma__meta_alloc(sizeof *g->sharing);
	if (g->sharing)
		g->sharing->pin_max = BMA_GROUP_NO_LIMIT;
	return g->sharing;
}

void bma__sharing_free(struct bma__group *g)
{
	bma__assert(!g->sharing || (!g->sharing->shares && !g->sharing->owners));
	bma__meta_free(g->sharing, sizeof *g->sharing);
	g->sharing = NULL;
}

static uint32_t state_of(const struct bma__group *g)
{
	return atomic_load_explicit(&g->state, memory_order_relaxed);
}

void bma__shared_reap(struct bma__group *g)
{
	if (!bma__group_is_shared(g) || state_of(g) != BMA__GROUP_GONE || g->records ||
	    atomic_load_explicit(&g->usage, memory_order_relaxed) ||
	    (g->sharing && g->sharing->shares))
		return;
	bma__shrinkers_end(g);
	bma__notify_end(g);
	bma__oom_end(g);
	bma__group_free(g);
}

int bma__shared_destroy(const struct bma_group *shared)
{
	struct bma__group *g;
	int rc = 0;

	bma__tree_lock();
	g = bma__group_of(shared);
	if (g && !bma__group_is_shared(g)) {
		rc = -EINVAL;
	} else if (!g || state_of(g) != BMA__GROUP_ONLINE) {
		rc = -ESTALE;
	} else {
		atomic_store_explicit(&g->state, BMA__GROUP_GONE, memory_order_relaxed);
		bma__shared_reap(g);
	}
	bma__tree_unlock();
	/* If it went at once its functions went with it. */
	if (!rc)
		bma__hook_wait_ended(shared);
	return rc;
}

void bma__shared_pass(void)
{
	struct bma__group *g, *next;

	bma__tree_lock();
	for (g = bma__shared_first; g; g = next) {
		next = g->next;
		bma__shared_look(g);
		bma__shared_reap(g);
	}
	bma__tree_unlock();
}

int bma__shared_set_pin_max(const struct bma_group *group, uint64_t bytes)
{
	struct bma__sharing *its = NULL;
	struct bma__group *g;
	int rc = 0;

	bma__tree_lock();
	g = bma__group_online(group);
	if (!g)
		rc = -ESTALE;
	else if (bma__group_is_shared(g))
		rc = -EINVAL;
	else if (!(its = bma__sharing_of(g)))
		rc = -ENOMEM;
	if (!rc)
		its->pin_max = bytes;
	bma__tree_unlock();
	return rc;
}

int bma__share_pin(struct bma__share *s, uint64_t bytes)
{
	for (const struct bma__share *at = s; at; at = at->up) {
		const struct bma__sharing *its = at->group->sharing;

		if (its->pinned > its->pin_max || bytes > its->pin_max - its->pinned)
			return -EDQUOT;
	}
	s->pins++;
	for (struct bma__share *at = s; at; at = at->up) {
		at->pinned += bytes;
		at->group->sharing->pinned += bytes;
	}
	return 0;
}

void bma__share_unpin(struct bma__share *s, uint64_t bytes)
{
	s->pins--;
	for (; s; s = s->up) {
		s->pinned -= bytes;
		s->group->sharing->pinned -= bytes;
	}
}
