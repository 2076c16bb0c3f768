/* SPDX-License-Identifier: MIT */
/*
 * The state that hangs from a group, its figures, and turns, see oom.h.
 * Ordering: MO-41 (docs/memory-ordering.md).
 */
#include "group.h"

#include <errno.h>
#include <string.h>

_Atomic uint32_t bma__oom_turns;

struct bma__oom_state *bma__oom_state(struct bma__group *g)
{
	if (!g->oom)
		g->oom = bma__meta_alloc(sizeof *g->oom);
	return g->oom;
}

int bma__oom_online(const struct bma_group *handle, struct bma__group **g)
{
	*g = bma__group_online(handle);
	if (!*g)
		return -ESTALE;
	return bma__oom_state(*g) ? 0 : -ENOMEM;
}

void bma__oom_end(struct bma__group *g)
{
	struct bma__oom_state *s = g->oom;

	bma__prefer_leave(g);
	if (!s)
		return;
	if (s->policy)
		bma__hook_end(&s->policy->hook);
	if (s->release) {
		bma__release_cancel(s->release);
		bma__hook_end(&s->release->hook);
	}
	s->policy = NULL;
	s->release = NULL;
	bma__prefer_end(s);
	bma__trigger_end(s);
}

void bma__oom_free(struct bma__group *g)
{
	bma__meta_free(g->oom, sizeof *g->oom);
	g->oom = NULL;
}

void bma__oom_figures(const struct bma__group *g, struct bma_oom_stats *stats)
{
	memset(stats, 0, sizeof *stats);
	if (g->oom)
		*stats = g->oom->stats;
	stats->stall_ns = atomic_load_explicit(&g->stall_ns, memory_order_relaxed);
	if (g->oom && g->oom->policy)
		memcpy(stats->policy, g->oom->policy->name, sizeof stats->policy);
}

void bma__oom_count(const struct bma_group *handle, size_t offset, uint64_t n)
{
	struct bma__group *g;

	bma__tree_lock();
	if (!bma__oom_online(handle, &g))
		*(uint64_t *)((uintptr_t)&g->oom->stats + offset) += n;
	bma__tree_unlock();
}

bool bma__oom_has_room(const struct bma_group *handle, uint64_t bytes)
{
	const struct bma__group *g = bma__group_of(handle);
	uint64_t usage, max;

	if (!g)
		return true;
	usage = bma__group_current(g);
	max = atomic_load_explicit(&g->max, memory_order_relaxed);
	return usage <= max && bytes <= max - usage;
}

/* Without memory for the state there are no turns: then all look at once. */
bool bma__oom_take_turn(const struct bma_group *handle)
{
	struct bma__group *g;
	bool mine = true;

	bma__tree_lock();
	if (!bma__oom_online(handle, &g)) {
		mine = !g->oom->turn;
		if (mine)
			g->oom->turn = bma__cpu_thread();
	}
	bma__tree_unlock();
	return mine;
}

void bma__oom_end_turn(const struct bma_group *handle)
{
	struct bma__group *g;

	bma__tree_lock();
	g = bma__group_of(handle);
	if (g && g->oom && g->oom->turn == bma__cpu_thread())
		g->oom->turn = 0;
	bma__tree_unlock();
	/* Release: who waits for it reads the word before he looks whose turn it is. */
	atomic_fetch_add_explicit(&bma__oom_turns, 1, memory_order_release);
	bma__os_futex_wake(&bma__oom_turns, INT32_MAX);
}

void bma__oom_after_fork(void)
{
	struct bma__group *g = NULL;

	while (bma__group_root && (g = bma__group_each(bma__group_root, g))) {
		struct bma__oom_state *s = g->oom;

		if (!s)
			continue;
		if (s->turn != bma__cpu_thread())
			s->turn = 0;
		bma__prefer_forget(s);
		if (s->policy)
			bma__hook_forget(&s->policy->hook);
		if (s->release)
			bma__release_forget(s->release);
	}
	bma__hook_forget_ended();
}
