/* SPDX-License-Identifier: MIT */
/*
 * Size classes, and the calls of heaps that are inlined. Included by <bma/heap.h>.
 *
 * A heap begins with one handle of a cache for each class, 64 bytes apart: that, which class a size belongs to, and what is
 * defined below is what inlined code knows of it, frozen for one SONAME.
 */
#ifndef BMA_INLINE_HEAP_H
#define BMA_INLINE_HEAP_H

#define BMA__HEAP_SMALL 8u   /* classes of 8 to 64 bytes */
#define BMA__HEAP_MEDIUM 48u /* of 72 to 4096 */
#define BMA__HEAP_CLASSES 80u
#define BMA__HANDLE_SHIFT 6
/* Offsets in a handle: its engine; in a heap's the same, or NULL if its calls need more than a push; the class. */
#define BMA__HANDLE_ENGINE 24
#define BMA__HANDLE_PLAIN 32
#define BMA__HANDLE_CLASS 40

/*
 * What leads from an address to the engine that it is of: a tag for each 64 KiB, of the first @units, and at @places, 64 bytes apart and by the tag, a
 * handle for each engine; that of no engine is empty. Its slots are at @slots, 64 bytes apart, too. Written once, before the first object exists.
 */
struct bma__heap_map {
	const uint16_t *tags;
	uintptr_t units;
	uintptr_t places;
	uintptr_t slots;
};
extern BMA_API struct bma__heap_map bma__heap_map;

/*
 * The class of a size from 1 to BMA_HEAP_CLASS_MAX: which doubling it is in, and which part of that. Up to 64 bytes classes are as far apart as in the
 * doubling after it, so they are computed as part of that one: where sizes are mixed, a branch between the two would be guessed wrongly.
 */
static inline __attribute__((always_inline)) unsigned int bma__heap_class(size_t size)
{
	unsigned int doubling =
		63u - (unsigned int)__builtin_clzll(((unsigned long long)size - 1) | 64);

	if (__builtin_expect(size <= 4096, 1))
		return BMA__HEAP_SMALL + (doubling - 6) * 8 +
		       (unsigned int)((size - 1) >> (doubling - 3)) - 8;
	return BMA__HEAP_SMALL + BMA__HEAP_MEDIUM + (doubling - 12) * 4 +
	       (unsigned int)((size - 1) >> (doubling - 2)) - 4;
}

/* Bytes of the objects of a class. */
static inline size_t bma__heap_class_size(unsigned int c)
{
	if (c < BMA__HEAP_SMALL)
		return (size_t)8 * (c + 1);
	c -= BMA__HEAP_SMALL;
	if (c < BMA__HEAP_MEDIUM)
		return (size_t)(8 + c % 8 + 1) << (c / 8 + 3);
	c -= BMA__HEAP_MEDIUM;
	return (size_t)(4 + c % 4 + 1) << (c / 4 + 10);
}

static inline __attribute__((always_inline)) struct bma_cache *
bma__heap_handle(struct bma_heap *heap, unsigned int c)
{
	return (struct bma_cache *)((uintptr_t)heap + ((uintptr_t)c << BMA__HANDLE_SHIFT));
}

#if !defined(BMA_NO_INLINE) && !defined(BMA_IMPLEMENTATION)
/** bma_heap_alloc - See the declaration in <bma/heap.h> of the call that this replaces. */
static inline __attribute__((always_inline)) void *bma_heap_alloc(struct bma_heap *heap,
								  size_t size)
{
	if (__builtin_expect(size - 1 >= BMA_HEAP_CLASS_MAX, 0))
		return bma_heap_alloc_flags(heap, size, 0);
	return bma_cache_alloc(bma__heap_handle(heap, bma__heap_class(size)));
}

/** bma_heap_free_sized - See the declaration in <bma/heap.h> of the call that this replaces. */
static inline __attribute__((always_inline)) void bma_heap_free_sized(struct bma_heap *heap,
								      void *ptr, size_t size)
{
	if (__builtin_expect(size - 1 >= BMA_HEAP_CLASS_MAX, 0))
		bma__heap_free_slow(heap, ptr);
	else
		bma_cache_free(bma__heap_handle(heap, bma__heap_class(size)), ptr);
}

/**
 * bma_heap_free - See the declaration in <bma/heap.h> of the call that this replaces.
 *
 * Between the pointer and the slot there is one load, that of the tag: where the slot is follows from it. What else is asked is asked beside
 * that: is the heap's handle for the class of this engine, and does it need nothing but a push?
 */
static inline __attribute__((always_inline)) void bma_heap_free(struct bma_heap *heap, void *ptr)
{
	uintptr_t unit = (uintptr_t)ptr >> 16, tag, place, handle;

	if (__builtin_expect(unit >= bma__heap_map.units, 0))
		goto slow;
	tag = (uintptr_t)bma__heap_map.tags[unit] << BMA__HANDLE_SHIFT;
	place = bma__heap_map.places + tag;
	handle = (uintptr_t)heap +
		 ((uintptr_t) * (const uint16_t *)(place + BMA__HANDLE_CLASS) << BMA__HANDLE_SHIFT);
	if (__builtin_expect(*(void *const *)(place + BMA__HANDLE_ENGINE) !=
				     *(void *const *)(handle + BMA__HANDLE_PLAIN),
			     0))
		goto slow;
	BMA__PUSH_KNOWN(place, bma__heap_map.slots + tag, BMA__SLOT_LOADED, ptr, slow);
	return;
slow:
	bma__heap_free_slow(heap, ptr);
}
#endif

#endif /* BMA_INLINE_HEAP_H */
