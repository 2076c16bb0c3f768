/* SPDX-License-Identifier: MIT */
/* The slow paths of allocation and of free. */
#include "internal.h"

/* A slab from the page allocator, all of its objects linked in the order of their addresses. */
static struct slab *slab_new(struct kmem_cache *s, void **list)
{
	struct slab *slab = pages_alloc(s->slab_shift);
	unsigned char *p;

	if (!slab)
		return NULL;
	p = (unsigned char *)slab_start(slab, s->slab_shift);
	*list = p;
	for (unsigned int i = 1; i < s->objects; i++, p += s->size)
		*(void **)(void *)p = p + s->size;
	*(void **)(void *)p = NULL;
	atomic_store_explicit(&slab->state, STATE_NONE | s->objects * STATE_IN_USE | STATE_FROZEN,
			      memory_order_relaxed);
	atomic_fetch_add_explicit(&s->node.nr_slabs, 1, memory_order_relaxed);
	return slab;
}

/*
 * Make a slab whose objects the caller has taken the active one: the CPU has no free objects, and
 * its word slab is 0. The first object goes to the caller.
 *
 * The freelist comes first. With slab set first a free could get there before the list, which then
 * had nowhere to go. A thread that was moved to another CPU cannot store the list, and puts the
 * slab on the partial list instead. If it is moved after that, only fast frees are lost, until the
 * CPU's next slow allocation.
 */
static void *install(struct kmem_cache *s, struct kmem_cache_cpu *c, struct slab *slab, void *list)
{
	void *rest = *(void **)list;

	if (rest && fast_store(s, c, &c->freelist, 0, &c->freelist, (uintptr_t)rest) != STORED) {
		slab_return(s, slab, rest);
		cpu_partial_put(s, c, slab);
		return list;
	}
	c->active = slab;
	(void)fast_store(s, c, &c->slab, 0, &c->slab, slab_start(slab, s->slab_shift));
	return list;
}

/*
 * Find objects for CPU @c, lock held. The active slab, then what others freed into it, the CPU's
 * partial list, the node's, a new slab.
 *
 * Returns: false if the thread was moved and has to start over.
 */
static bool refill(struct kmem_cache *s, struct kmem_cache_cpu *c, void **p)
{
	struct slab *slab;
	void *list = NULL;

	/* An object may have come back meanwhile. That of another CPU, after a move, is as good. */
	while (!(*p = kmem_cache_alloc_fast(s))) {
		enum stored stored = STORED;

		if (c->active)
			stored = fast_store(s, c, &c->freelist, 0, &c->slab, 0);
		if (stored == MIGRATED)
			return false;
		if (stored == STORED)
			break;
	}
	if (*p)
		return true;

	/* The freelist is empty and remains so. */
	slab = c->active;
	c->active = NULL;
	if (slab)
		list = slab_take(s, slab);
	if (!list && (slab = c->partial)) {
		c->partial = slab->next;
		c->nr_partial--;
		list = slab_take(s, slab);
	}
	if (!list)
		slab = node_get(s, c, &list);
	if (!list)
		slab = slab_new(s, &list);
	*p = list ? install(s, c, slab, list) : NULL;
	return true;
}

void *kmem_cache_alloc_slow(struct kmem_cache *s)
{
	struct kmem_cache_cpu *c;
	bool done;
	void *p;

	do {
		c = this_cpu(s);
		pthread_mutex_lock(&c->lock);
		done = refill(s, c, &p);
		pthread_mutex_unlock(&c->lock);
	} while (!done);
	return p;
}

void kmem_cache_free_slow(struct kmem_cache *s, void *p)
{
	struct slab *slab = slab_of(p, s->slab_shift);
	struct kmem_cache_node *node = &s->node;
	uintptr_t start = (uintptr_t)p & s->slab_mask;
	uint64_t old = atomic_load_explicit(&slab->state, memory_order_relaxed), now;
	struct kmem_cache_cpu *c;
	bool locked = false, last;

	do {
		if (locked)
			pthread_mutex_unlock(&node->lock);
		*(void **)p = state_list(old, start);
		now = state_push(old, start, p, 1);
		if (state_full(old))
			now |= STATE_FROZEN;
		/*
		 * The last object of a slab on the node's list: without the lock the slab could be
		 * found there, or given back, by another thread after the state has changed.
		 */
		locked = !(now & STATE_FROZEN) && !state_in_use(now);
		if (locked)
			pthread_mutex_lock(&node->lock);
	} while (!atomic_compare_exchange_weak_explicit(
		&slab->state, &old, now, memory_order_acq_rel, memory_order_relaxed));
	if (locked) {
		last = node->nr_partial >= s->min_partial;
		if (last)
			node_remove(node, slab);
		pthread_mutex_unlock(&node->lock);
		if (last)
			slab_discard(s, slab);
	} else if ((old ^ now) & STATE_FROZEN) {
		/* It was full, and is ours. Any CPU's list will do if the thread is moved here. */
		c = this_cpu(s);
		pthread_mutex_lock(&c->lock);
		cpu_partial_put(s, c, slab);
		pthread_mutex_unlock(&c->lock);
	}
}
