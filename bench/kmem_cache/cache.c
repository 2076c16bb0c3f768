/* SPDX-License-Identifier: MIT */
/* Slab caches as a whole: their measures, creation, shrinking, destruction. */
#include "internal.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned int log2_floor(size_t n)
{
	return (unsigned int)(63 - __builtin_clzll(n));
}

/* The least order whose slabs hold @bytes. */
static unsigned int order_for(size_t bytes)
{
	unsigned int order = 0;

	while (order < MAX_ORDER && (size_t)1 << (PAGE_BITS + order) < bytes)
		order++;
	return order;
}

/*
 * As SLUB chooses: enough objects that a CPU does not change slabs all the time, the more CPUs the
 * more; of the orders that give so many the least with a waste of at most 1/16, else 1/8, 1/4, 1/2.
 */
static unsigned int choose_order(size_t size, unsigned int cpus)
{
	size_t least = 4 * (size_t)(log2_floor(cpus) + 2);
	unsigned int from = order_for(least * size);

	for (size_t fraction = 16; fraction > 1; fraction /= 2) {
		for (unsigned int order = from; order <= MAX_ORDER; order++) {
			size_t bytes = (size_t)1 << (PAGE_BITS + order);

			if (bytes >= size && bytes % size <= bytes / fraction)
				return order;
		}
	}
	return MAX_ORDER;
}

/* Slabs on a CPU's partial list: SLUB's number of objects, each slab taken to be half full. */
static unsigned int choose_cpu_partial(size_t size, unsigned int objects)
{
	unsigned int n = size >= 4096 ? 6 : size >= 1024 ? 24 : size >= 256 ? 52 : 120;

	return (2 * n + objects - 1) / objects;
}

/* Slabs without objects that the node keeps, SLUB's number as well. */
static unsigned int choose_min_partial(size_t size)
{
	unsigned int n = log2_floor(size) / 2;

	return n < 5 ? 5 : n > 10 ? 10 : n;
}

static bool have_rseq(void)
{
	const struct rseq *area;

	area = (const struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	return __rseq_size && (int32_t)area->cpu_id >= 0;
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	long configured = sysconf(_SC_NPROCESSORS_CONF);
	unsigned int cpus = configured > 0 ? (unsigned int)configured : 1;
	struct kmem_cache *s;
	size_t bytes;

	if (align < sizeof(void *))
		align = sizeof(void *);
	if ((align & (align - 1)) || align > (size_t)1 << PAGE_BITS || !size ||
	    size > (size_t)1 << (PAGE_BITS + MAX_ORDER)) {
		errno = EINVAL;
		return NULL;
	}
	if (!have_rseq() || cpus > CPU_SETSIZE) {
		errno = ENOSYS;
		return NULL;
	}
	bytes = sizeof(*s) + cpus * sizeof(s->cpu[0]);
	s = aligned_alloc(_Alignof(struct kmem_cache), bytes);
	if (!s)
		return NULL;
	*s = (struct kmem_cache){.size = (size + align - 1) & ~(align - 1), .cpus = cpus};
	s->slab_shift = PAGE_BITS + choose_order(s->size, cpus);
	s->slab_mask = ~(((uintptr_t)1 << s->slab_shift) - 1);
	s->objects = (unsigned int)(((size_t)1 << s->slab_shift) / s->size);
	s->cpu_partial = choose_cpu_partial(s->size, s->objects);
	s->min_partial = choose_min_partial(s->size);
	snprintf(s->name, sizeof(s->name), "%s", name);
	pthread_mutex_init(&s->node.lock, NULL);
	for (unsigned int i = 0; i < cpus; i++) {
		s->cpu[i] = (struct kmem_cache_cpu){0};
		pthread_mutex_init(&s->cpu[i].lock, NULL);
	}
	return s;
}

/*
 * Take its slabs from CPU @c, on which the thread runs. First no more frees get to the freelist,
 * then the freelist is taken; both as the fast paths' words demand.
 *
 * Returns: false if the thread was moved.
 */
static bool flush_cpu(struct kmem_cache *s, struct kmem_cache_cpu *c)
{
	struct slab *slab = c->active;
	enum stored stored;
	void *list = NULL;

	if (slab) {
		if (fast_store(s, c, &c->slab, c->slab, &c->slab, 0) == MIGRATED)
			return false;
		do {
			list = *(void *volatile *)&c->freelist;
			stored = fast_store(s, c, &c->freelist, (uintptr_t)list, &c->freelist, 0);
		} while (stored == CHANGED);
		if (stored == MIGRATED)
			return false;
		if (list)
			slab_return(s, slab, list);
		slab->next = c->partial;
		c->partial = slab;
		c->active = NULL;
	}
	node_put(s, c->partial);
	c->partial = NULL;
	c->nr_partial = 0;
	return true;
}

/* CPUs that this process may not use have none of its objects. */
static void flush_all(struct kmem_cache *s)
{
	cpu_set_t before, one;
	bool done;

	if (sched_getaffinity(0, sizeof(before), &before))
		return;
	for (unsigned int i = 0; i < s->cpus; i++) {
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		do {
			if (sched_setaffinity(0, sizeof(one), &one))
				break;
			pthread_mutex_lock(&s->cpu[i].lock);
			done = flush_cpu(s, &s->cpu[i]);
			pthread_mutex_unlock(&s->cpu[i].lock);
		} while (!done);
	}
	sched_setaffinity(0, sizeof(before), &before);
}

void kmem_cache_shrink(struct kmem_cache *s)
{
	struct kmem_cache_node *node = &s->node;
	struct slab *slab, *next, *empty = NULL;

	flush_all(s);
	pthread_mutex_lock(&node->lock);
	for (slab = node->first; slab; slab = next) {
		next = slab->next;
		if (state_in_use(atomic_load_explicit(&slab->state, memory_order_acquire)))
			continue;
		node_remove(node, slab);
		slab->next = empty;
		empty = slab;
	}
	pthread_mutex_unlock(&node->lock);
	for (slab = empty; slab; slab = next) {
		next = slab->next;
		slab_discard(s, slab);
	}
	pages_trim();
}

int kmem_cache_destroy(struct kmem_cache *s)
{
	kmem_cache_shrink(s);
	if (atomic_load_explicit(&s->node.nr_slabs, memory_order_relaxed))
		return EBUSY;
	for (unsigned int i = 0; i < s->cpus; i++)
		pthread_mutex_destroy(&s->cpu[i].lock);
	pthread_mutex_destroy(&s->node.lock);
	free(s);
	return 0;
}

struct kmem_cache_stats kmem_cache_stats_get(struct kmem_cache *s)
{
	size_t slabs = atomic_load_explicit(&s->node.nr_slabs, memory_order_relaxed);

	return (struct kmem_cache_stats){.object_size = s->size,
					 .objects_per_slab = s->objects,
					 .slab_bytes = (size_t)1 << s->slab_shift,
					 .slabs = slabs,
					 .bytes = slabs << s->slab_shift};
}
