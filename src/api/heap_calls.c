/* SPDX-License-Identifier: MIT */
/* The public calls on heaps that allocate and free. */
#include "api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void __attribute__((noreturn, cold))
misuse(const struct bma_heap *heap, const void *ptr, const char *what, const char *call)
{
	bma__log_line("%s: heap \"%s\": pointer %p %s", call, heap->name, ptr, what);
	abort();
}

/* None of a class's. */
static void free_other(struct bma_heap *heap, void *ptr, const char *call)
{
	struct bma__slab *slab = bma__large_slab(ptr);

	if (!slab)
		misuse(heap, ptr, "is not an object of any heap", call);
	if (bma__large_heap(slab) != heap)
		misuse(heap, ptr, "is an object of another heap", call);
	if (!bma__heap_large_free(slab))
		misuse(heap, ptr, "is free already (freed twice)", call);
}

static void __attribute__((noreturn, cold))
foreign(const struct bma_heap *heap, const struct bma_cache *place, const void *ptr,
	const char *call)
{
	bma__log_line("%s: heap \"%s\": pointer %p is an object of \"%s\"", call, heap->name, ptr,
		      place->engine ? place->engine->name : "a cache that was destroyed");
	abort();
}

static void *begin_of(const void *ptr)
{
	return bma__slab_near(bma__chunk_slab(ptr), ptr);
}

/* The handle by which @heap frees what @place is of: its own, if that is of the same engine. */
static struct bma_cache *handle_of(struct bma_heap *heap, struct bma_cache *place, const void *ptr,
				   const char *call)
{
	struct bma_cache *cache = bma__heap_handle(heap, place->class);

	if (bma__likely(cache->engine == place->engine && place->engine))
		return cache;
	if (!bma__heap_frees(heap, place))
		foreign(heap, place, ptr, call);
	return place;
}

static inline bool gave_interior(struct bma_cache *place)
{
	return bma__unlikely(atomic_load_explicit(&place->interior, memory_order_relaxed));
}

/* What may need more than a push. */
void bma__heap_free_slow(struct bma_heap *heap, void *ptr)
{
	struct bma_cache *place, *cache;

	bma__rseq_clear();
	if (!ptr)
		return;
	place = bma__engine_place_of(ptr);
	if (!place) {
		free_other(heap, ptr, "bma_heap_free");
		return;
	}
	cache = handle_of(heap, place, ptr, "bma_heap_free");
	bma_cache_free(cache, gave_interior(place) ? begin_of(ptr) : ptr);
}

__attribute__((aligned(BMA_CACHELINE))) void bma_heap_free(struct bma_heap *heap, void *ptr)
{
#if BMA__RSEQ_BUILT
	uint32_t tag = bma__chunk_tag(ptr);
	struct bma_cache *place = bma__engine_handle_at(tag);

	if (bma__unlikely(bma__heap_handle(heap, place->class)->plain != place->engine))
		goto slow;
	BMA__PUSH_KNOWN(place, bma__heap_map.slots + tag * BMA_CACHELINE, BMA__SLOT_LOADED, ptr,
			slow);
	return;
slow:
#endif
	bma__heap_free_slow(heap, ptr);
}

void bma_heap_free_rcu(struct bma_heap *heap, void *ptr)
{
	struct bma_cache *place, *cache;

	if (!ptr)
		return;
	place = bma__engine_place_of(ptr);
	if (!place) {
		free_other(heap, ptr, "bma_heap_free_rcu");
		return;
	}
	cache = handle_of(heap, place, ptr, "bma_heap_free_rcu");
	bma_cache_free_rcu(cache, gave_interior(place) ? begin_of(ptr) : ptr);
}

void bma_heap_free_sized(struct bma_heap *heap, void *ptr, size_t size)
{
	if (size - 1 >= BMA_HEAP_CLASS_MAX)
		bma_heap_free(heap, ptr);
	else
		bma_cache_free(bma__heap_handle(heap, bma__heap_class(size)), ptr);
}

void *bma_heap_alloc(struct bma_heap *heap, size_t size)
{
	if (size - 1 >= BMA_HEAP_CLASS_MAX)
		return bma_heap_alloc_flags(heap, size, 0);
	return bma_cache_alloc(bma__heap_handle(heap, bma__heap_class(size)));
}

/* Larger than any class of @heap. */
static void *alloc_large(struct bma_heap *heap, size_t size, uint32_t node, bool strict,
			 unsigned int flags)
{
	int rc = -ENOMEM;
	void *p;

	if (bma__forbid_refuses()) {
		if (flags & BMA_SLEEP)
			errno = EDEADLK;
		return NULL;
	}
	if (!(flags & BMA_SLEEP) || heap->flags & (BMA_HEAP_PERCPU | BMA_HEAP_KERNEL_CLASSES)) {
		bma__heap_refuse(heap);
		if (flags & BMA_SLEEP)
			errno = EINVAL;
		return NULL;
	}
	bma__init_threads();
	p = size <= PTRDIFF_MAX ? bma__heap_large_alloc(heap, size, node, strict, &rc) : NULL;
	if (!p)
		errno = -rc;
	return p;
}

/* Which objects of @size are of; NULL: larger than any. */
static struct bma_cache *class_of(struct bma_heap *heap, size_t size)
{
	struct bma_cache *cache;

	if (size > BMA_HEAP_CLASS_MAX)
		return NULL;
	cache = bma__heap_handle(heap, bma__heap_class(size));
	return bma__likely(cache->engine) ? cache : NULL;
}

void *bma_heap_alloc_flags(struct bma_heap *heap, size_t size, unsigned int flags)
{
	struct bma_cache *cache;

	if (bma__unlikely(!size)) {
		if (flags & BMA_SLEEP)
			errno = EINVAL;
		return NULL;
	}
	cache = class_of(heap, size);
	if (bma__unlikely(!cache))
		return alloc_large(heap, size, bma__numa_node_for_large(&heap->numa),
				   heap->numa.flags & BMA_NUMA_STRICT, flags);
	return bma_cache_alloc_flags(cache, flags);
}

void *bma_heap_alloc_node(struct bma_heap *heap, size_t size, unsigned int node, unsigned int flags)
{
	struct bma_cache *cache = size ? class_of(heap, size) : NULL;
	uint32_t ours = bma__topo_node_by_os(node);

	if (cache)
		return bma_cache_alloc_node(cache, node, flags);
	if (size && ours < bma__topo.nodes && bma__topo.os_node[ours] == node &&
	    heap->numa.policy == BMA_NUMA_LOCAL)
		return alloc_large(heap, size, ours, flags & BMA_THIS_NODE, flags);
	if (flags & BMA_SLEEP)
		errno = EINVAL;
	return NULL;
}

/* The first class from @size on, and not twice as large, whose objects all have this alignment. */
static struct bma_cache *aligned_class(struct bma_heap *heap, size_t align, size_t size)
{
	size_t least = size < align ? align : size;

	for (unsigned int c = bma__heap_class(least);
	     c < BMA__HEAP_CLASSES && bma__heap_class_size(c) < 2 * least; c++) {
		struct bma_cache *cache = bma__heap_handle(heap, c);

		if (cache->engine && bma__slab_alignment(&cache->engine->geo) >= align)
			return cache;
	}
	return NULL;
}

/* From now on what is freed at this engine's place is looked for: with a mask of 0 it leaves by its slow half. */
static void look_inside(struct bma_cache *place)
{
	atomic_store_explicit(&place->interior, true, memory_order_relaxed);
	__atomic_store_n(&place->head.mask, 0, __ATOMIC_RELAXED);
}

void *bma_heap_alloc_aligned(struct bma_heap *heap, size_t align, size_t size, unsigned int flags)
{
	struct bma_cache *cache;
	char *p, *q;

	if (!bma__is_pow2(align) || align > BMA_CACHE_ALIGN_MAX || size > PTRDIFF_MAX) {
		if (flags & BMA_SLEEP)
			errno = EINVAL;
		return NULL;
	}
	if (align <= 8 || !size || size > BMA_HEAP_CLASS_MAX)
		return bma_heap_alloc_flags(heap, size, flags);
	cache = aligned_class(heap, align, size);
	if (cache)
		return bma_cache_alloc_flags(cache, flags);
	/* A larger object, and an address inside it, unless it is a run of pages: what is freed there has to be looked for from now on. */
	p = bma_heap_alloc_flags(heap, size + align - 8, flags);
	q = (char *)bma__align_up((uintptr_t)p, align);
	if (p != q)
		look_inside(bma__engine_place_of(p));
	return q;
}

/* All copies of a per-CPU object. */
static void carry(const struct bma_heap *heap, void *to, const void *from, size_t n)
{
	uint64_t copies = bma__percpu_copies(heap->flags & BMA_HEAP_PERCPU);

	for (uint64_t i = 0; i < copies; i++)
		memcpy(bma__percpu_at(to, i), bma__percpu_at(from, i), n);
}

void *bma_heap_realloc(struct bma_heap *heap, void *ptr, size_t size, unsigned int flags)
{
	size_t has = bma_heap_usable_size(ptr);
	void *p;

	if (!ptr)
		return bma_heap_alloc_flags(heap, size, flags);
	if (!size) {
		bma_heap_free(heap, ptr);
		return NULL;
	}
	/* Neither too small nor much too large. */
	if (size <= has && size > has / 2)
		return ptr;
	p = bma_heap_alloc_flags(heap, size, flags);
	if (!p)
		return NULL;
	carry(heap, p, ptr, size < has ? size : has);
	bma_heap_free(heap, ptr);
	return p;
}

size_t bma_heap_alloc_bulk(struct bma_heap *heap, size_t size, void **objs, size_t n,
			   unsigned int flags)
{
	size_t i;

	for (i = 0; i < n; i++) {
		objs[i] = bma_heap_alloc_flags(heap, size, flags);
		if (!objs[i])
			break;
	}
	return i;
}

void bma_heap_free_bulk(struct bma_heap *heap, void *const *objs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bma_heap_free(heap, objs[i]);
}
