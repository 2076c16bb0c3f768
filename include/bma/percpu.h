/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU objects: one copy for each slot, so that each CPU changes its own and nobody waits.
 *
 * A per-CPU object comes from a cache made with BMA_CACHE_PERCPU or a heap made with BMA_HEAP_PERCPU. The pointer that these return
 * stands for all copies: it is the address of the first one, and bma_this_cpu_ptr() and bma_per_cpu_ptr() lead to the others.
 * Copies of one CPU stand side by side, apart from those of other CPUs, on the CPU's memory node, and no memory is used for a CPU that
 * never writes to its copy.
 *
 * There are bma_percpu_copies() of them: one for each CPU that the kernel could have (its possible ones), and a last one which threads without an
 * index share: those that the C library did not register for restartable sequences, and all of them where there are none.
 *
 * The design follows the Linux kernel's per-CPU allocator (one offset per CPU for all objects) and its this_cpu operations; the addition
 * is a restartable sequence (rseq(2)).
 *
 * Ordering: MO-31 (docs/memory-ordering.md).
 */
#ifndef BMA_PERCPU_H
#define BMA_PERCPU_H

#include <bma/cache.h>

BMA_BEGIN_DECLS

/* Distance from a copy to the next one, as a shift; frozen for one SONAME. */
#define BMA__PERCPU_SHIFT 21

/*
 * @index: offset of the index word in the rseq area; 0: there is none. @slots: copies but the last.
 * Written once, before the first object exists.
 */
struct bma__percpu {
	uint64_t index;
	uint64_t slots;
};
extern BMA_API struct bma__percpu bma__percpu;

BMA_API uint64_t bma__percpu_here(void);
BMA_API void bma__percpu_add_slow(uint64_t *obj, uint64_t n);
BMA_API void bma__percpu_bad(const void *obj, uint64_t copy) __attribute__((noreturn, cold));

/** bma_percpu_copies - How many copies a per-CPU object has; 0 before the first cache, heap or group was made. Context: any. */
BMA_API uint64_t bma_percpu_copies(void);

/**
 * bma_percpu_sum_u64 - Add up the 64-bit word at @obj in all copies.
 * @obj: a per-CPU object, or a word inside one.
 *
 * Context: any. Each copy is read once, with no order among them: exact when nobody adds meanwhile, otherwise what it was at some
 * moment of the call plus or minus what was added during it.
 */
BMA_API uint64_t bma_percpu_sum_u64(const uint64_t *obj);

static inline __attribute__((always_inline)) void *bma__percpu_copy(const void *obj, uint64_t copy)
{
	if (__builtin_expect(copy > bma__percpu.slots, 0))
		bma__percpu_bad(obj, copy);
	return (void *)((uintptr_t)obj + (uintptr_t)(copy << BMA__PERCPU_SHIFT));
}

/**
 * bma_per_cpu_ptr - The copy of one slot.
 * @obj: a per-CPU object, or a part of one; the type is kept.
 * @copy: 0 to bma_percpu_copies() - 1; another number aborts with a message.
 *
 * Context: any.
 */
#define bma_per_cpu_ptr(obj, copy) ((__typeof__(obj))bma__percpu_copy((obj), (copy)))

/**
 * bma_this_cpu_ptr - The copy of the slot that the caller is on.
 * @obj: as above.
 *
 * The caller may be moved to another CPU, or be interrupted, at any time: then somebody else works on the same copy. Use atomic
 * operations, or bma_this_cpu_add(), where that matters.
 *
 * Context: any.
 */
#define bma_this_cpu_ptr(obj) ((__typeof__(obj))bma__percpu_copy((obj), bma__percpu_here()))

/**
 * bma_percpu_for_each - Loop over all copies.
 * @copy: a pointer variable that is set to each in turn; @obj: a per-CPU object.
 */
#define bma_percpu_for_each(copy, obj)                                                             \
	for (uint64_t bma__i = 0;                                                                  \
	     bma__i <= bma__percpu.slots && ((copy) = bma_per_cpu_ptr((obj), bma__i), 1);          \
	     bma__i++)

#if !defined(BMA_NO_INLINE) && (defined(__x86_64__) || defined(__aarch64__))
/**
 * bma_this_cpu_add - Add to the 64-bit word at @obj in the caller's copy.
 * @obj: a per-CPU object, or a word inside one; @n: what to add, modulo 2^64.
 *
 * Nothing is lost, whoever interrupts whom: a signal handler may add to the word that it interrupted an addition to. Do not change the
 * word by other means while others add.
 *
 * Context: any. Lock-free. No memory ordering.
 */
static inline __attribute__((always_inline)) void bma_this_cpu_add(uint64_t *obj, uint64_t n)
{
	BMA__PERCPU_ADD(obj, bma__percpu.index, n, slow);
	return;
slow:
	bma__percpu_add_slow(obj, n);
}
#else
static inline void bma_this_cpu_add(uint64_t *obj, uint64_t n)
{
	bma__percpu_add_slow(obj, n);
}
#endif

BMA_END_DECLS

#endif /* BMA_PERCPU_H */
