/* SPDX-License-Identifier: MIT */
/*
 * A slab cache in the manner of the kernel's kmem_cache, for user space: what a user calls, and the
 * two fast paths. After J. Bonwick, The Slab Allocator (1994), and the published design of SLUB:
 * a CPU allocates from one slab at a time, and frees into that slab are as fast; all other frees go
 * to the freelist that the object's slab has of its own.
 *
 * x86-64 with restartable sequences (glibc 2.35). Not for signal handlers, not across fork(). One
 * node, no debugging, and none of the arrays of objects (sheaves) that SLUB has since Linux 6.18.
 *
 * The fast paths know two words of their CPU, freelist and slab. These hold:
 *
 * 1. Both words are changed only by a restartable sequence that runs on that CPU and ends with the
 *    one store. Whoever is interrupted between its loads and its store starts over, so each change
 *    is atomic to all other threads on that CPU; no other CPU looks at the words. The kernel gets
 *    the same from a compare-and-swap of the freelist together with a transaction number.
 * 2. All objects on the freelist are of the CPU's active slab, which is frozen. That is changed
 *    only with the CPU's lock held; the fast paths do not know it.
 * 3. The word slab is the start of the active slab, or 0. While it is 0 no free gets to the
 *    freelist, and without the lock the word does not change.
 *
 * So a holder of the lock that has stored slab = 0 while the freelist was empty (one sequence)
 * owns a CPU without free objects until it installs others; fast_store() in internal.h.
 *
 * No fences are needed: two threads that use the words on one CPU have a context switch between
 * them, which orders all memory.
 */
#ifndef BENCH_KMEM_CACHE_H
#define BENCH_KMEM_CACHE_H

#include "../peers/rseq_x86_64.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/rseq.h>

struct slab;

/* The distance of the CPUs' parts, as a shift: a pair of cache lines each. */
#define KMEM_CACHE_CPU_SHIFT 7

struct kmem_cache_cpu {
	_Alignas(1 << KMEM_CACHE_CPU_SHIFT) void *freelist;
	uintptr_t slab;
	/* Under the lock. */
	struct slab *active;
	struct slab *partial;
	unsigned int nr_partial;
	_Alignas(64) pthread_mutex_t lock;
};

/* The slabs that no CPU owns and that are not full. Full ones are on no list. */
struct kmem_cache_node {
	_Alignas(128) pthread_mutex_t lock;
	struct slab *first;
	struct slab *last;
	unsigned long nr_partial;
	_Atomic unsigned long nr_slabs;
};

struct kmem_cache {
	uintptr_t slab_mask;
	size_t size;
	unsigned int slab_shift;
	unsigned int objects;
	unsigned int cpus;
	unsigned int cpu_partial;
	unsigned int min_partial;
	char name[32];
	struct kmem_cache_node node;
	/* Behind the rest, at a distance the compiler knows: its address is not loaded. */
	struct kmem_cache_cpu cpu[];
};

struct kmem_cache_stats {
	size_t object_size;
	size_t objects_per_slab;
	size_t slab_bytes;
	size_t slabs;
	size_t bytes;
};

/**
 * kmem_cache_create - Make a cache of objects of @size bytes, aligned to @align (a power of two up
 * to a page, or 0 for that of a pointer).
 *
 * Returns: the cache, or NULL with errno set: EINVAL, ENOMEM, ENOSYS without restartable sequences.
 */
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align);

/** kmem_cache_destroy - Returns: 0, or EBUSY if objects are live; the cache then remains. */
int kmem_cache_destroy(struct kmem_cache *s);

/**
 * kmem_cache_shrink - Take the slabs from all CPUs and give those without objects back, to the page
 * allocator and from there to the system. The caller visits each CPU for this.
 */
void kmem_cache_shrink(struct kmem_cache *s);

/** kmem_cache_stats_get - What the cache holds; exact if nobody allocates or frees. */
struct kmem_cache_stats kmem_cache_stats_get(struct kmem_cache *s);

/** kmem_cache_alloc_slow - kmem_cache_alloc() after the CPU's freelist was found empty. */
void *kmem_cache_alloc_slow(struct kmem_cache *s);

/** kmem_cache_free_slow - kmem_cache_free() of an object whose slab this CPU does not use. */
void kmem_cache_free_slow(struct kmem_cache *s, void *p);

/** kmem_cache_alloc_fast - Pop from this CPU's freelist. Returns: the object, or NULL. */
static inline __attribute__((always_inline)) void *kmem_cache_alloc_fast(struct kmem_cache *s)
{
	uintptr_t t;
	void *p, *next;

again:
	/* p is on the freelist while its link is read, or the sequence starts over. */
	__asm__ __volatile__ goto(
		FLOOR_RSEQ_BEGIN "movq (%[t]), %[p]\n\t"
				 "testq %[p], %[p]\n\t"
				 "jz %l[empty]\n\t"
				 "movq (%[p]), %[n]\n\t"
				 "movq %[n], (%[t])\n" FLOOR_RSEQ_END
		: [p] "=&r"(p), [t] "=&r"(t), [n] "=&r"(next)
		: [rseq] "r"(__rseq_offset), [base] "r"(s->cpu), [shift] "i"(KMEM_CACHE_CPU_SHIFT)
		: "memory", "cc"
		: again, empty);
	/* Its link is read by the next allocation. */
	__builtin_prefetch(next);
	if (!p)
		__builtin_unreachable();
	return p;
empty:
	return NULL;
}

/** kmem_cache_alloc - Returns: an object, or NULL if there is no memory. */
static inline __attribute__((always_inline)) void *kmem_cache_alloc(struct kmem_cache *s)
{
	void *p = kmem_cache_alloc_fast(s);

	if (__builtin_expect(!p, 0))
		p = kmem_cache_alloc_slow(s);
	return p;
}

/** kmem_cache_free - Give an object of @s back, from any thread. */
static inline __attribute__((always_inline)) void kmem_cache_free(struct kmem_cache *s, void *p)
{
	uintptr_t t, next;

again:
	__asm__ __volatile__ goto(
		FLOOR_RSEQ_BEGIN "cmpq %[slab], 8(%[t])\n\t"
				 "jne %l[other]\n\t"
				 "movq (%[t]), %[n]\n\t"
				 "movq %[n], (%[p])\n\t"
				 "movq %[p], (%[t])\n" FLOOR_RSEQ_END
		: [t] "=&r"(t), [n] "=&r"(next)
		: [p] "r"(p), [slab] "r"((uintptr_t)p & s->slab_mask), [rseq] "r"(__rseq_offset),
		  [base] "r"(s->cpu), [shift] "i"(KMEM_CACHE_CPU_SHIFT)
		: "memory", "cc"
		: again, other);
	return;
other:
	kmem_cache_free_slow(s, p);
}

#endif /* BENCH_KMEM_CACHE_H */
