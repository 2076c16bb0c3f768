/* SPDX-License-Identifier: MIT */
/*
 * The heap of the peer that this file is compiled for.
 *
 * A malloc is one, and so is a heap of BMA's (peer bma-heap): it is told the size when it allocates. For
 * the peers that are caches of one size, one is made here as allocators with size classes are made: classes of 8, 16, 32, 48 ... 128 bytes, from there on eight to each doubling, so at
 * most an eighth is wasted. The class of a size is computed on each allocation. The class of an
 * object, which such an allocator looks up by the address, stands in the object's slot: one load
 * less than it would need. A realloc within a class leaves the object where it is.
 *
 * A heap for every class is more than a program needs that knows its objects' sizes. Only classes that a
 * schedule uses have a cache.
 */
#ifndef HEAP_H
#define HEAP_H

#include "schedule.h"

#include "peers/peer.h"

#include <string.h>

/* HEAP_THERE: there is one; HEAP_ANY_SIZE: and heap_init() need not be told what is asked of it. */
#if defined(BENCH_PEERS_MALLOC_H)
#define HEAP_THERE 1
#define HEAP_ANY_SIZE 1

struct heap_object {
	void *p;
};

static inline __attribute__((noreturn, cold)) void heap_die(const char *why)
{
	bench_die(why);
}

static inline void heap_init(const struct schedule *plan)
{
	(void)plan;
}

static inline void *heap_there(void *p)
{
	if (__builtin_expect(!p, 0))
		bench_die("out of memory");
	return p;
}

static inline void heap_alloc(struct heap_object *o, size_t size)
{
	o->p = heap_there(malloc(size));
}

static inline void heap_calloc(struct heap_object *o, size_t size)
{
	o->p = heap_there(calloc(1, size));
}

static inline void heap_aligned(struct heap_object *o, size_t align, size_t size)
{
	if (posix_memalign(&o->p, align < sizeof(void *) ? sizeof(void *) : align, size))
		bench_die("out of memory");
}

static inline void heap_realloc(struct heap_object *o, size_t old, size_t size)
{
	(void)old;
	o->p = heap_there(realloc(o->p, size));
}

static inline void heap_free(const struct heap_object *o)
{
	free(o->p);
}

#elif defined(BENCH_PEERS_BMA_HEAP_H)
#define HEAP_THERE 1
#define HEAP_ANY_SIZE 1

struct heap_object {
	void *p;
};

static struct bma_heap *heap_mine;

static inline __attribute__((noreturn, cold)) void heap_die(const char *why)
{
	bench_die(why);
}

static inline void heap_init(const struct schedule *plan)
{
	(void)plan;
	if (!heap_mine)
		heap_mine = bma_heap_made();
}

static inline void heap_there(const void *p)
{
	if (__builtin_expect(!p, 0))
		bench_die("out of memory");
}

/* Each call is the one of any context, and that which may sleep if there was nothing. */
static inline void heap_alloc(struct heap_object *o, size_t size)
{
	o->p = bma_heap_alloc(heap_mine, size);
	if (__builtin_expect(!o->p, 0)) {
		o->p = bma_heap_alloc_flags(heap_mine, size, BMA_SLEEP);
		heap_there(o->p);
	}
}

static inline void heap_calloc(struct heap_object *o, size_t size)
{
	heap_alloc(o, size);
	memset(o->p, 0, size);
}

static inline void heap_aligned(struct heap_object *o, size_t align, size_t size)
{
	o->p = bma_heap_alloc_aligned(heap_mine, align, size, 0);
	if (__builtin_expect(!o->p, 0)) {
		o->p = bma_heap_alloc_aligned(heap_mine, align, size, BMA_SLEEP);
		heap_there(o->p);
	}
}

static inline void heap_realloc(struct heap_object *o, size_t old, size_t size)
{
	void *p = bma_heap_realloc(heap_mine, o->p, size, 0);

	(void)old;
	if (__builtin_expect(!p, 0)) {
		p = bma_heap_realloc(heap_mine, o->p, size, BMA_SLEEP);
		heap_there(p);
	}
	o->p = p;
}

static inline void heap_free(const struct heap_object *o)
{
	bma_heap_free(heap_mine, o->p);
}

#elif defined(BMA_CACHE_H)
#define HEAP_THERE 1

/* Classes of sizes, then those of aligned objects: powers of two. */
#define HEAP_SIZES 97
#define HEAP_CLASSES (HEAP_SIZES + SCHEDULE_ALIGN_LOG2 + 3)

struct heap_object {
	void *p;
	uint32_t class;
};

static peer_pool heap_pools[HEAP_CLASSES];
/* Of sizes up to 1024, by eighths. */
static uint8_t heap_small[1024 / 8 + 1];

static inline __attribute__((noreturn, cold)) void heap_die(const char *why)
{
	bench_die(why);
}

/* From 129 bytes on: which doubling, and which eighth of it. */
static inline uint32_t heap_class_large(size_t size)
{
	unsigned int top = 63 - (unsigned int)__builtin_clzl(size - 1);

	return 9 + (top - 7) * 8 + (uint32_t)((size - 1) >> (top - 3) & 7);
}

static inline uint32_t heap_class(size_t size)
{
	return size <= 1024 ? heap_small[(size + 7) / 8] : heap_class_large(size);
}

static inline size_t heap_class_size(uint32_t class)
{
	if (class < 9)
		return class ? class * 16 : 8;
	return (size_t)(9 + (class - 9) % 8) << ((class - 9) / 8 + 4);
}

/* Objects of a power of two, aligned to it. */
static inline uint32_t heap_class_aligned(size_t align, size_t size)
{
	size_t larger = size > align ? size : align;

	return HEAP_SIZES + (larger > 1 ? 64 - (uint32_t)__builtin_clzl(larger - 1) : 0);
}

static inline peer_pool heap_aligned_pool(uint32_t class)
{
	size_t size = (size_t)1 << (class - HEAP_SIZES);
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .size = size};
	struct bma_cache *cache;

	attr.align = size < BMA_CACHE_ALIGN_MAX ? size : BMA_CACHE_ALIGN_MAX;
	cache = bma_cache_create(&attr);
	if (!cache)
		bench_die("bma_cache_create failed");
	return cache;
}

/* What @op needs. */
static inline void heap_make_pool(struct schedule_op op)
{
	bool aligned = schedule_kind(op) == SCHEDULE_ALIGNED;
	uint32_t class;

	switch (schedule_kind(op)) {
	case SCHEDULE_FREE:
	case SCHEDULE_SPAWN:
	case SCHEDULE_PACE:
		return;
	default:
		class = aligned ? heap_class_aligned(schedule_align(op), schedule_size(op))
				: heap_class(schedule_size(op));
	}
	if (!heap_pools[class])
		heap_pools[class] =
			aligned ? heap_aligned_pool(class) : peer_create(heap_class_size(class), 0);
}

static inline void heap_init(const struct schedule *plan)
{
	for (size_t i = 1; i <= 1024 / 8; i++)
		heap_small[i] = (uint8_t)(i == 1	 ? 0
					  : i * 8 <= 128 ? (i + 1) / 2
							 : heap_class_large(i * 8));
	for (unsigned int thread = 0; thread < plan->n; thread++) {
		for (size_t i = 0; i < plan->threads[thread].n; i++)
			heap_make_pool(plan->threads[thread].ops[i]);
	}
}

static inline void heap_alloc(struct heap_object *o, size_t size)
{
	o->class = heap_class(size);
	o->p = bench_take(heap_pools[o->class]);
}

static inline void heap_calloc(struct heap_object *o, size_t size)
{
	heap_alloc(o, size);
	memset(o->p, 0, size);
}

static inline void heap_aligned(struct heap_object *o, size_t align, size_t size)
{
	o->class = heap_class_aligned(align, size);
	o->p = bench_take(heap_pools[o->class]);
}

static inline void heap_free(const struct heap_object *o)
{
	peer_free(heap_pools[o->class], o->p);
}

static inline void heap_realloc(struct heap_object *o, size_t old, size_t size)
{
	struct heap_object other;

	if (heap_class(size) == o->class)
		return;
	heap_alloc(&other, size);
	memcpy(other.p, o->p, old < size ? old : size);
	heap_free(o);
	*o = other;
}
#endif

#ifdef HEAP_THERE
static inline void heap_thread_enter(unsigned int number)
{
	(void)number;
	peer_thread_enter();
}

static inline void heap_thread_leave(void)
{
	peer_thread_leave();
}
#endif

#endif /* HEAP_H */
