/* SPDX-License-Identifier: MIT */
/*
 * The hot calls, inlined. Included by <bma/cache.h> unless BMA_NO_INLINE is defined.
 *
 * What inlined code knows of a cache is struct bma__head, the shift and the two slot offsets below; they
 * are frozen for one SONAME.
 *
 * A slot holds one word per list: the address of the top element of a magazine. A magazine is aligned to
 * its own size S and begins with 16 bytes that hold no element, so that
 *	word & (S - 16) == 0
 * says "empty" before a pop, "full" of the word + 8 before a push, and "no magazine" of 0 in both.
 *
 * Invariant: an operation changes a slot by exactly one store, the last instruction of a restartable
 * sequence that began by reading the slot index of the CPU it runs on. Whoever interrupts it there (a
 * signal handler, another thread on the same CPU, a remote drain through its membarrier) makes it leave by
 * the slow half before that store. The element that an aborted push wrote lies above the top and belongs
 * to nobody.
 *
 * Ordering: all accesses to one slot come from one CPU at a time, in program order there; whoever takes a
 * magazine to another CPU does so with a release that its next owner acquires (the depot's stacks), or
 * after a membarrier that stopped every sequence (remote drain).
 *
 * After the store the descriptor pointer is cleared in code that may be unloaded: a plugin's descriptor may
 * be unmapped by dlclose, and the kernel would read it at the next preemption.
 */
#ifndef BMA_INLINE_FASTPATH_H
#define BMA_INLINE_FASTPATH_H

#include <bma/config.h>
#include <sys/rseq.h>

struct bma_cache;

/*
 * @slots: address of the slot of index 0. @index: offset of the index word (cpu_id or mm_cid) in
 * the rseq area. @mask: S - 16.
 */
struct bma__head {
	uintptr_t slots;
	uint64_t index;
	uint64_t mask;
};

/* Distance of the slots of two neighbouring indices, as a shift. */
#define BMA__SLOT_SHIFT 22
/* Offsets of the words in a slot. */
#define BMA__SLOT_LOADED 0
#define BMA__SLOT_LIMBO 8

#if defined(__x86_64__)
#include <bma/inline/x86_64.h>
#elif defined(__aarch64__)
#include <bma/inline/aarch64.h>
#endif

BMA_BEGIN_DECLS
/* The slow halves: whole, self-contained versions of the calls. */
BMA_API void *bma__cache_alloc_slow(struct bma_cache *cache) BMA_NOPLT __attribute__((cold));
BMA_API void bma__cache_free_slow(struct bma_cache *cache, void *obj) BMA_NOPLT
	__attribute__((cold));
BMA_API void bma__cache_free_rcu_slow(struct bma_cache *cache, void *obj) BMA_NOPLT
	__attribute__((cold));
BMA_END_DECLS

#ifndef BMA_IMPLEMENTATION
/** bma_cache_alloc - See the declaration in <bma/cache.h> of the call that this replaces. */
static inline __attribute__((always_inline)) void *bma_cache_alloc(struct bma_cache *cache)
{
	void *obj;

	BMA__POP(cache, BMA__SLOT_LOADED, obj, slow);
	return obj;
slow:
	return bma__cache_alloc_slow(cache);
}

/** bma_cache_free - See the declaration in <bma/cache.h> of the call that this replaces. */
static inline __attribute__((always_inline)) void bma_cache_free(struct bma_cache *cache, void *obj)
{
	if (__builtin_expect(!obj, 0))
		return;
	BMA__PUSH(cache, BMA__SLOT_LOADED, obj, slow);
	return;
slow:
	bma__cache_free_slow(cache, obj);
}

/** bma_cache_free_rcu - See the declaration in <bma/rcu.h> of the call that this replaces. */
static inline __attribute__((always_inline)) void bma_cache_free_rcu(struct bma_cache *cache,
								     void *obj)
{
	if (__builtin_expect(!obj, 0))
		return;
	BMA__PUSH(cache, BMA__SLOT_LIMBO, obj, slow);
	return;
slow:
	bma__cache_free_rcu_slow(cache, obj);
}
#endif

#endif /* BMA_INLINE_FASTPATH_H */
