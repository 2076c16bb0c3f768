/* SPDX-License-Identifier: MIT */
/* Slabs and the lists they are on. */
#include "internal.h"

#include <stdlib.h>

void *slab_take(struct kmem_cache *s, struct slab *slab)
{
	const uint64_t all = STATE_NONE | s->objects * STATE_IN_USE | STATE_FROZEN;
	uint64_t old = atomic_load_explicit(&slab->state, memory_order_relaxed), now;

	do
		now = state_full(old) ? old & ~STATE_FROZEN : all;
	while (!atomic_compare_exchange_weak_explicit(&slab->state, &old, now, memory_order_acq_rel,
						      memory_order_relaxed));
	return state_list(old, slab_start(slab, s->slab_shift));
}

void slab_return(struct kmem_cache *s, struct slab *slab, void *list)
{
	uintptr_t start = slab_start(slab, s->slab_shift);
	uint64_t old = atomic_load_explicit(&slab->state, memory_order_relaxed);
	void **last = list;
	unsigned int n = 1;

	/* Rule 2 of kmem_cache.h is checked where it costs nothing: this is a rare path. */
	for (; *last; last = *last)
		n += ((uintptr_t)*last & s->slab_mask) == start ? 1 : s->objects;
	if (((uintptr_t)list & s->slab_mask) != start || n > s->objects)
		abort();
	do
		*last = state_list(old, start);
	while (!atomic_compare_exchange_weak_explicit(&slab->state, &old,
						      state_push(old, start, list, n),
						      memory_order_acq_rel, memory_order_relaxed));
}

void slab_discard(struct kmem_cache *s, struct slab *slab)
{
	atomic_fetch_sub_explicit(&s->node.nr_slabs, 1, memory_order_relaxed);
	pages_free(slab);
}

void cpu_partial_put(struct kmem_cache *s, struct kmem_cache_cpu *c, struct slab *slab)
{
	/* All of them at once: the node's lock is taken once for as many slabs. */
	if (c->nr_partial >= s->cpu_partial) {
		node_put(s, c->partial);
		c->partial = NULL;
		c->nr_partial = 0;
	}
	slab->next = c->partial;
	c->partial = slab;
	c->nr_partial++;
}

/* At the end: the longer a slab waits, the more of its objects come back. */
static void node_add(struct kmem_cache_node *node, struct slab *slab)
{
	slab->next = NULL;
	slab->prev = node->last;
	if (node->last)
		node->last->next = slab;
	else
		node->first = slab;
	node->last = slab;
	node->nr_partial++;
}

void node_remove(struct kmem_cache_node *node, struct slab *slab)
{
	if (slab->prev)
		slab->prev->next = slab->next;
	else
		node->first = slab->next;
	if (slab->next)
		slab->next->prev = slab->prev;
	else
		node->last = slab->prev;
	node->nr_partial--;
}

void node_put(struct kmem_cache *s, struct slab *list)
{
	struct kmem_cache_node *node = &s->node;
	struct slab *slab, *next, *empty = NULL;
	uint64_t state;

	if (!list)
		return;
	pthread_mutex_lock(&node->lock);
	for (slab = list; slab; slab = next) {
		next = slab->next;
		/*
		 * From here on a free may find it full and take it, if it is, or find it without
		 * objects, and then waits for the lock.
		 */
		state = atomic_fetch_and_explicit(&slab->state, ~STATE_FROZEN,
						  memory_order_acq_rel);
		if (state_full(state))
			continue;
		if (!state_in_use(state) && node->nr_partial >= s->min_partial) {
			slab->next = empty;
			empty = slab;
		} else {
			node_add(node, slab);
		}
	}
	pthread_mutex_unlock(&node->lock);
	for (slab = empty; slab; slab = next) {
		next = slab->next;
		slab_discard(s, slab);
	}
}

struct slab *node_get(struct kmem_cache *s, struct kmem_cache_cpu *c, void **list)
{
	struct kmem_cache_node *node = &s->node;
	struct slab *slab, *found;

	pthread_mutex_lock(&node->lock);
	found = node->first;
	if (found) {
		node_remove(node, found);
		*list = slab_take(s, found);
		/* Half of what a CPU may have, so that frees do not drain it at once. */
		while ((slab = node->first) && c->nr_partial <= s->cpu_partial / 2) {
			node_remove(node, slab);
			atomic_fetch_or_explicit(&slab->state, STATE_FROZEN, memory_order_acquire);
			slab->next = c->partial;
			c->partial = slab;
			c->nr_partial++;
		}
	}
	pthread_mutex_unlock(&node->lock);
	return found;
}
