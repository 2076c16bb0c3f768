/* SPDX-License-Identifier: MIT */
/*
 * Effective protections, as mem_cgroup_calculate_protection() of the Linux kernel has them (without the mount option memory_recursiveprot). With
 * protected(c) = min(usage(c), setting(c)), for a parent p below @top:
 *	effective(c) = protected(c)						if the sum over p's children is at most effective(p)
 *		     = protected(c) * effective(p) / that sum			else
 * and for children of @top: effective(c) = setting(c).
 */
#include "group.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t get(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static uint64_t protected(const struct bma__group *g, const _Atomic uint64_t *setting)
{
	uint64_t usage = get(&g->usage), bytes = get(setting);

	return usage < bytes ? usage : bytes;
}

/* @sum is not below @mine, but that usage changes meanwhile. */
static uint64_t share(uint64_t mine, wide sum, uint64_t parent)
{
	uint64_t part;

	if (sum <= parent)
		return mine < parent ? mine : parent;
	part = (uint64_t)((wide)mine * parent / sum);
	return part < parent ? part : parent;
}

static void children(struct bma__group *p)
{
	wide low = 0, min = 0;

	for (struct bma__group *c = p->child; c; c = c->next) {
		low += protected(c, &c->low);
		min += protected(c, &c->min);
	}
	for (struct bma__group *c = p->child; c; c = c->next) {
		c->effective_low = share(protected(c, &c->low), low, p->effective_low);
		c->effective_min = share(protected(c, &c->min), min, p->effective_min);
	}
}

void bma__group_protect(struct bma__group *top)
{
	struct bma__group *g = top;

	top->effective_low = top->effective_min = 0;
	for (struct bma__group *c = top->child; c; c = c->next) {
		c->effective_low = get(&c->low);
		c->effective_min = get(&c->min);
	}
	while ((g = bma__group_next(top, g)))
		children(g);
}
