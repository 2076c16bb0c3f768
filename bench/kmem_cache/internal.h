/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the slab cache share: the state word of a slab, the restartable sequence of the
 * slow paths, and the partial lists.
 *
 * A slab is frozen while a CPU owns it, as its active slab or on its partial list. Then frees of
 * other threads do no more than push on the slab's freelist; lists are the owner's business. One
 * that is not frozen is either full and on no list, or on the node's list. The step between these
 * is taken by whoever changes the state word accordingly:
 *
 *	full, not frozen	the first free freezes it, and puts it on its CPU's partial list
 *	on the node's list	with the node's lock held it is frozen, and taken over by a CPU
 *	frozen			unfreezing makes it full, or with the node's lock held puts it there
 *
 * Memory order: a free releases (the link in its object and what the user wrote before are seen by
 * whoever takes the list), taking the list and freezing acquire, and unfreezing releases the links
 * of the descriptor. Only whole lists are taken, so a push needs no guard against reuse.
 *
 * Locks are nested in this order: a CPU's, the node's, the page allocator's.
 */
#ifndef BENCH_KMEM_CACHE_INTERNAL_H
#define BENCH_KMEM_CACHE_INTERNAL_H

#include "kmem_cache.h"
#include "pages.h"

#include <stdatomic.h>
#include <stdbool.h>

/*
 * The state: where the first object of the slab's freelist is, counted from the slab's start, then
 * the number of objects in use, then the frozen bit; one word, so that one compare-and-swap changes
 * them together. Objects on a CPU's freelist are in use.
 */
#define STATE_NONE UINT64_C(0xffff)
#define STATE_IN_USE (UINT64_C(1) << 16)
#define STATE_FROZEN (UINT64_C(1) << 32)

static inline bool state_full(uint64_t state)
{
	return (state & STATE_NONE) == STATE_NONE;
}

static inline unsigned int state_in_use(uint64_t state)
{
	return (unsigned int)(state >> 16 & 0xffff);
}

/* The slab's freelist as a pointer; NULL if it is empty. */
static inline void *state_list(uint64_t state, uintptr_t start)
{
	return state_full(state) ? NULL : (void *)(start + (state & STATE_NONE));
}

/* @state with the freelist beginning at @p, and @n objects fewer in use. */
static inline uint64_t state_push(uint64_t state, uintptr_t start, const void *p, unsigned int n)
{
	return ((state & ~STATE_NONE) | ((uintptr_t)p - start)) - n * STATE_IN_USE;
}

static inline struct kmem_cache_cpu *this_cpu(struct kmem_cache *s)
{
	const struct rseq *area;

	area = (const struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	return &s->cpu[*(const volatile uint32_t *)&area->cpu_id];
}

#ifdef KMEM_CACHE_STEPS
/** kmem_cache_step - A test does here what another thread, or a move to another CPU, may do. */
void kmem_cache_step(struct kmem_cache *s);
#else
static inline void kmem_cache_step(struct kmem_cache *s)
{
	(void)s;
}
#endif

enum stored { STORED, MIGRATED, CHANGED };

/**
 * fast_store - Change one of the two words of the fast paths: if the thread runs on CPU @c and
 * *@word is still @expected, *@to becomes @value. The caller holds the lock of @c, which does not
 * keep it on that CPU.
 */
static inline enum stored fast_store(struct kmem_cache *s, struct kmem_cache_cpu *c,
				     const void *word, uintptr_t expected, void *to,
				     uintptr_t value)
{
	uintptr_t t;

	kmem_cache_step(s);
again:
	__asm__ __volatile__ goto(FLOOR_RSEQ_BEGIN "cmpq %[c], %[t]\n\t"
						   "jne %l[migrated]\n\t"
						   "cmpq %[expected], (%[word])\n\t"
						   "jne %l[changed]\n\t"
						   "movq %[value], (%[to])\n" FLOOR_RSEQ_END
				  : [t] "=&r"(t)
				  : [c] "r"(c), [word] "r"(word), [expected] "r"(expected),
				    [to] "r"(to), [value] "r"(value), [rseq] "r"(__rseq_offset),
				    [base] "r"(s->cpu), [shift] "i"(KMEM_CACHE_CPU_SHIFT)
				  : "memory", "cc"
				  : again, migrated, changed);
	return STORED;
migrated:
	return MIGRATED;
changed:
	return CHANGED;
}

/**
 * slab_take - Take all objects on the freelist of a slab that is frozen or on the node's list, the
 * node's lock held. It is frozen then; if it has none it is full and belongs to nobody.
 */
void *slab_take(struct kmem_cache *s, struct slab *slab);

/** slab_return - Give a list of objects back to the freelist of a slab that the caller owns. */
void slab_return(struct kmem_cache *s, struct slab *slab, void *list);

/** slab_discard - A slab without objects goes back to the page allocator. */
void slab_discard(struct kmem_cache *s, struct slab *slab);

/** cpu_partial_put - A frozen slab onto the partial list of @c, whose lock is held. */
void cpu_partial_put(struct kmem_cache *s, struct kmem_cache_cpu *c, struct slab *slab);

/** node_put - A list of frozen slabs, linked by next, is unfrozen: to the node, or discarded. */
void node_put(struct kmem_cache *s, struct slab *list);

/**
 * node_get - Take over a slab of the node, and others for the partial list of @c, lock held.
 *
 * Returns: the slab, its objects in *@list, or NULL.
 */
struct slab *node_get(struct kmem_cache *s, struct kmem_cache_cpu *c, void **list);

/** node_remove - Off the node's list, the node's lock held. */
void node_remove(struct kmem_cache_node *node, struct slab *slab);

#endif /* BENCH_KMEM_CACHE_INTERNAL_H */
