/* SPDX-License-Identifier: MIT */
/*
 * Heaps: objects of any size, from any context.
 *
 * A heap is a set of size classes, each of which is a cache: a "memory namespace" for a package of data structures, with one flavour
 * of RCU and one name. "Any context" and "may sleep" mean what they do in <bma/cache.h>.
 *
 * Classes: multiples of 8 up to 64 bytes, then 8 for each doubling up to 4096 (at most an eighth of an object is lost by rounding), then 4 for each
 * doubling up to 256 KiB (at most a fifth). Larger objects are runs of pages of their own, for callers that may sleep.
 *
 * By default the classes are shared with other heaps and with caches made with BMA_CACHE_MERGE, so that a heap costs a few KiB. Then
 * a plain free promises only that memory stays mapped, not that it stays of its type: where readers may look on,
 * use bma_heap_free_rcu(). A heap with BMA_HEAP_PRIVATE shares nothing.
 *
 * The design follows the Linux kernel's bpf_mem_alloc with size 0 and its kmalloc caches; the classes are spaced as jemalloc's, closer.
 */
#ifndef BMA_HEAP_H
#define BMA_HEAP_H

#include <bma/cache.h>

BMA_BEGIN_DECLS

/** struct bma_heap - A set of size classes. Opaque. */
struct bma_heap;

/** BMA_HEAP_CLASS_MAX - Largest object that comes from a class, in bytes. */
#define BMA_HEAP_CLASS_MAX ((size_t)256 << 10)

/** BMA_HEAP_PRIVATE - Classes of its own: live objects are counted at no cost, and frees keep the type of memory. */
#define BMA_HEAP_PRIVATE ((uint64_t)1 << 0)
/** BMA_HEAP_COUNT - Count live objects of a heap that shares its classes; costs each call a per-CPU addition. */
#define BMA_HEAP_COUNT ((uint64_t)1 << 1)
/** BMA_HEAP_DESTROY_ALL - bma_heap_destroy() takes back what is live. Implies %BMA_HEAP_PRIVATE. */
#define BMA_HEAP_DESTROY_ALL ((uint64_t)1 << 2)
/** BMA_HEAP_KERNEL_CLASSES - The eleven classes of bpf_mem_alloc: 16, 32, 64, 96, 128, 192, 256 and on to 4096; nothing larger. */
#define BMA_HEAP_KERNEL_CLASSES ((uint64_t)1 << 3)
/** BMA_HEAP_PERCPU - Objects are per-CPU objects of up to %BMA_PERCPU_SIZE_MAX bytes, see <bma/percpu.h>. */
#define BMA_HEAP_PERCPU ((uint64_t)1 << 4)

/**
 * struct bma_heap_attr - How a heap is to be made. Clear it and set @attr_size; the rest may stay 0.
 *
 * @attr_size: sizeof this struct as the caller knows it, bytes.
 * @name: shown in messages and statistics; copied, cut after 31 bytes; NULL: "heap".
 * @flags: BMA_HEAP_*.
 * @cache_flags: for the classes: %BMA_CACHE_DEBUG, %BMA_CACHE_REDZONE, %BMA_CACHE_POISON, %BMA_CACHE_ZERO_FREE, %BMA_CACHE_TRACK,
 *               %BMA_CACHE_QUARANTINE, %BMA_CACHE_GUARD (classes up to 4096 bytes), %BMA_CACHE_RANDOM, %BMA_CACHE_KEY.
 * @rcu: flavour of RCU, as for a cache.
 * @numa: as for a cache; unless it is all zeros the heap has to be a private one, of objects that are not per-CPU.
 * @group: who pays, as for a cache: for each object of a heap that shares its classes, for slabs of one that does not, and for large objects.
 */
struct bma_heap_attr {
	size_t attr_size;
	const char *name;
	uint64_t flags;
	uint64_t cache_flags;
	const struct rcu_flavor_struct *rcu;
	struct bma_group *group;
	struct bma_numa numa;
};

/**
 * bma_heap_create - Make a heap.
 * @attr: what it is to be, or NULL for a heap with nothing set.
 *
 * Context: may sleep. Thread-safe.
 * Returns: the heap, or NULL with errno: EINVAL  an unknown flag, %BMA_HEAP_COUNT with a private heap, %BMA_HEAP_PERCPU with debug flags it cannot have;
 * E2BIG  attr_size is not what this library knows; ENOMEM; EDQUOT, ESTALE as bma_cache_create(); ENOSPC  as bma_cache_create().
 */
BMA_API struct bma_heap *bma_heap_create(const struct bma_heap_attr *attr);

/**
 * bma_heap_destroy - Give a heap back.
 * @heap: the heap; NULL is a no-op.
 *
 * A private heap gives all of its memory back, after the grace periods that it takes. A counted one refuses while objects of it are
 * live. One that shares its classes and does not count cannot know: it returns 0, what is live stays allocated, and may be freed
 * through another heap that has the class, bma_heap_global() for one.
 *
 * No other call on @heap may be in progress or follow, unless this one fails.
 *
 * Context: may sleep.
 * Returns: 0; -EBUSY while objects are live (not with %BMA_HEAP_DESTROY_ALL); -EDEADLK, -ETIMEDOUT as bma_cache_destroy(); -EINVAL for the
 * global heap.
 */
BMA_API int bma_heap_destroy(struct bma_heap *heap);

/**
 * bma_heap_global - The heap of the process, which shares its classes with all that do.
 *
 * Made in the first call, which may sleep; later ones may come from any context. Never destroyed.
 * Returns: the heap, or NULL with errno as bma_heap_create().
 */
BMA_API struct bma_heap *bma_heap_global(void);

/**
 * bma_heap_alloc_flags - Take an object, saying how.
 * @heap: where from.
 * @size: bytes; 0 gives NULL.
 * @flags: 0, %BMA_SLEEP, %BMA_ZERO or both.
 *
 * The object is aligned to 16 bytes if its class (a multiple of 8 that is at least @size) is a multiple of 16, else to 8.
 *
 * Context: any without %BMA_SLEEP, else may sleep. Thread-safe, usable in the child of fork.
 * Returns: the object, or NULL: there was none (as bma_cache_alloc_flags()), or @size is 0, or over %BMA_HEAP_CLASS_MAX without %BMA_SLEEP (counted
 * as too large). errno is touched only with %BMA_SLEEP: ENOMEM, EINVAL for a size of 0.
 */
BMA_API void *bma_heap_alloc_flags(struct bma_heap *heap, size_t size, unsigned int flags);

/**
 * bma_heap_alloc_aligned - Take an object at an alignment.
 * @align: a power of two up to %BMA_CACHE_ALIGN_MAX; otherwise as bma_heap_alloc_flags().
 *
 * It is freed by bma_heap_free() or bma_heap_free_rcu(), not by bma_heap_free_sized().
 *
 * Returns: as there; NULL (EINVAL with %BMA_SLEEP) for another @align.
 */
BMA_API void *bma_heap_alloc_aligned(struct bma_heap *heap, size_t align, size_t size,
				     unsigned int flags);

/** bma_heap_free_rcu - The same after a grace period, as bma_cache_free_rcu(). Context: any. */
BMA_API void bma_heap_free_rcu(struct bma_heap *heap, void *ptr);

/**
 * bma_heap_realloc - Change the size of an object.
 * @heap: as above; @ptr: the object, or NULL: then this is bma_heap_alloc_flags(). @size: bytes; 0 frees @ptr and returns NULL.
 * @flags: %BMA_SLEEP or 0.
 *
 * Context: any without %BMA_SLEEP, else may sleep.
 * Returns: the object, which may have moved; NULL if there is none: then @ptr is as it was.
 */
BMA_API void *bma_heap_realloc(struct bma_heap *heap, void *ptr, size_t size, unsigned int flags);

/** bma_heap_usable_size - Bytes that may be used at @ptr, an object of any heap; 0 for NULL and foreign pointers. Context: any. */
BMA_API size_t bma_heap_usable_size(const void *ptr);

/**
 * bma_heap_of - A heap through which an object may be freed.
 * @ptr: any pointer.
 *
 * Context: any. Returns: the private heap that @ptr is an object of; bma_heap_global(), once it exists, for an object of a class that it has; NULL for
 * anything else.
 */
BMA_API struct bma_heap *bma_heap_of(const void *ptr);

/**
 * bma_heap_alloc_bulk - Take several objects of one size: as bma_cache_alloc_bulk(). Context: as bma_heap_alloc_flags().
 * Returns: how many of @objs were filled, from the front.
 */
BMA_API size_t bma_heap_alloc_bulk(struct bma_heap *heap, size_t size, void **objs, size_t n,
				   unsigned int flags);
/** bma_heap_free_bulk - As n calls of bma_heap_free(). Context: any. */
BMA_API void bma_heap_free_bulk(struct bma_heap *heap, void *const *objs, size_t n);

/**
 * struct bma_heap_stats - One heap.
 *
 * @name: its name; @flags: BMA_HEAP_*; @classes: size classes it has.
 * @live: objects that users have, of a private or counted heap; UINT64_MAX where nobody counts.
 * @large: objects over %BMA_HEAP_CLASS_MAX that are live or wait to be unmapped (part of @live where it counts); @large_bytes: their bytes.
 * @too_large: allocations that returned NULL because only a caller that may sleep could have had so large an object.
 * @slab_bytes: bytes of slabs of the classes, of all their users.
 */
struct bma_heap_stats {
	char name[32];
	uint64_t flags;
	uint64_t classes;
	uint64_t live;
	uint64_t large;
	uint64_t large_bytes;
	uint64_t too_large;
	uint64_t slab_bytes;
};

/**
 * bma_heap_stats_get - Figures of one heap.
 * @stats: where they go; @size: sizeof(struct bma_heap_stats) as the caller knows it.
 *
 * Context: may sleep. Returns: 0, or -EINVAL.
 */
BMA_API int bma_heap_stats_get(struct bma_heap *heap, struct bma_heap_stats *stats, size_t size);

/** bma_heap_cache - The cache of the class that objects of @size come from, NULL if there is none: for bma_reserve_create() and
 * bma_cache_stats_get(). Context: any. It is the heap's; do not destroy it. */
BMA_API struct bma_cache *bma_heap_cache(struct bma_heap *heap, size_t size);

#if defined(BMA_NO_INLINE) || defined(BMA_IMPLEMENTATION)
/**
 * bma_heap_alloc - Take an object.
 * @heap: where from; @size: bytes.
 *
 * As bma_heap_alloc_flags() with no flags. Inlined; with a size known to the compiler the class costs nothing.
 *
 * Context: any.
 */
BMA_API void *bma_heap_alloc(struct bma_heap *heap, size_t size);

/**
 * bma_heap_free - Give an object back.
 * @heap: the heap it came from, or one that shares the class; with %BMA_HEAP_COUNT the one it came from, or neither count is right.
 * @ptr: the object; NULL is a no-op.
 *
 * Context: any. Never fails, never locks, never touches errno. Large objects are unmapped by the worker.
 * Misuse: a pointer that is no object of this heap's classes (one of malloc, of another heap, of a cache) aborts at once with a message that names the heap;
 * a second free is found as bma_cache_free() tells.
 * Memory ordering: as bma_cache_free().
 */
BMA_API void bma_heap_free(struct bma_heap *heap, void *ptr);

/**
 * bma_heap_free_sized - Give an object back whose size is known.
 * @heap: the very one that it was allocated from, not one of those that bma_heap_free() also takes; @ptr: as there;
 * @size: what was asked for when it was allocated. Not what bma_heap_realloc() made it less to, which may have left it in its class; who knows sizes and no more, as allocators that Lua and C++ call do, moves an object whenever bma_heap_cache() of both differ.
 *
 * Cheaper than bma_heap_free(). Of the misuse that is told there this call finds only what bma_cache_free() does.
 *
 * Context: any.
 */
BMA_API void bma_heap_free_sized(struct bma_heap *heap, void *ptr, size_t size);
#endif

/* The slow half of bma_heap_free(). */
BMA_API void bma__heap_free_slow(struct bma_heap *heap, void *ptr) BMA_NOPLT __attribute__((cold));

BMA_END_DECLS

#include <bma/inline/heap.h>

#endif /* BMA_HEAP_H */
