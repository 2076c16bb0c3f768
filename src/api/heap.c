/* SPDX-License-Identifier: MIT */
/* The public calls on heaps: making them, and what is known of an object. */
#include "api.h"

#include <errno.h>
#include <string.h>

#define KNOWN_FLAGS                                                                                \
	(BMA_HEAP_PRIVATE | BMA_HEAP_COUNT | BMA_HEAP_DESTROY_ALL | BMA_HEAP_KERNEL_CLASSES |      \
	 BMA_HEAP_PERCPU)
#define KNOWN_CACHE_FLAGS                                                                          \
	((BMA__CACHE_CHECKS & ~BMA__CACHE_TOOLS) | BMA_CACHE_RANDOM | BMA_CACHE_KEY)

static _Atomic(struct bma_heap *) global;

static int refuse(const char *field)
{
	bma__log_verbose("bma_heap_create: %s", field);
	return -EINVAL;
}

static int check(const struct bma_heap_attr *a)
{
	const char *wrong;

	if (a->attr_size != sizeof *a) {
		bma__log_verbose("bma_heap_create: attr_size %zu, this library knows %zu",
				 a->attr_size, sizeof *a);
		return -E2BIG;
	}
	if (a->flags & ~(uint64_t)KNOWN_FLAGS)
		return refuse("flags has an unknown bit");
	if (a->cache_flags & ~(uint64_t)KNOWN_CACHE_FLAGS)
		return refuse("cache_flags has a bit that classes cannot have");
	if (a->flags & BMA_HEAP_COUNT && a->flags & BMA__HEAP_OWN)
		return refuse("BMA_HEAP_COUNT with BMA_HEAP_PRIVATE or BMA_HEAP_DESTROY_ALL, which "
			      "count at no cost");
	if (a->flags & BMA_HEAP_PERCPU &&
	    a->cache_flags & ~(uint64_t)(BMA__PERCPU_CHECKS | BMA_CACHE_RANDOM))
		return refuse("BMA_HEAP_PERCPU with a debug flag that it cannot have");
	if (a->cache_flags & BMA_CACHE_GUARD && a->cache_flags & BMA_CACHE_REDZONE)
		return refuse("BMA_CACHE_GUARD with BMA_CACHE_REDZONE");
	if (!bma__numa_is_default(&a->numa) &&
	    (!(a->flags & BMA__HEAP_OWN) || a->flags & BMA_HEAP_PERCPU))
		return refuse("numa with a heap that shares its classes, or of per-CPU objects");
	wrong = bma__numa_wrong(&a->numa);
	return wrong ? refuse(wrong) : 0;
}

/* @payer: who pays if the attributes name nobody. */
static struct bma_heap *create(const struct bma_heap_attr *a, const struct bma_group *payer)
{
	struct bma__heap_attr ha = {.name = a->name ? a->name : "heap", .flags = a->flags};
	struct bma_heap *heap = NULL;
	int rc = bma__init();

	if (!rc)
		rc = check(a);
	if (!rc && bma__forbid_refuses())
		rc = -EDEADLK;
	if (rc)
		goto out;
	rc = -ENOSPC;
	ha.flavor = bma__flavor_get(a->rcu);
	if (!ha.flavor)
		goto out;
	ha.cache_flags = a->cache_flags;
	ha.numa = a->numa;
	ha.payer = a->group ? a->group : payer;
	if (a->flags & BMA_HEAP_PERCPU)
		ha.cache_flags |= BMA_CACHE_PERCPU;
	ha.cache_flags = bma__cache_flags(ha.cache_flags, BMA_HEAP_CLASS_MAX, 0, false);
	bma__init_threads();
	heap = bma__heap_create(&ha, &rc);
out:
	if (!heap)
		errno = -rc;
	return heap;
}

struct bma_heap *bma_heap_create(const struct bma_heap_attr *attr)
{
	static const struct bma_heap_attr plain = {.attr_size = sizeof plain};

	return create(attr ? attr : &plain, bma_group_active());
}

int bma_heap_destroy(struct bma_heap *heap)
{
	if (!heap)
		return 0;
	if (heap == atomic_load_explicit(&global, memory_order_acquire))
		return -EINVAL;
	bma__init_threads();
	return bma__heap_destroy(heap);
}

/* Nobody in particular pays for it, whoever comes first. Two first calls make two; the later one is taken back, which costs a shared heap nothing. */
struct bma_heap *bma_heap_global(void)
{
	static const struct bma_heap_attr attr = {.attr_size = sizeof attr, .name = "global"};
	struct bma_heap *heap = atomic_load_explicit(&global, memory_order_acquire), *none = NULL;

	if (heap)
		return heap;
	heap = create(&attr, NULL);
	if (!heap || atomic_compare_exchange_strong_explicit(
			     &global, &none, heap, memory_order_acq_rel, memory_order_acquire))
		return heap;
	bma__heap_destroy(heap);
	return none;
}

size_t bma_heap_usable_size(const void *ptr)
{
	const struct bma_cache *place;
	const struct bma__engine *e;
	const struct bma__slab *slab;

	if (!bma__is_ready())
		return 0;
	place = bma__engine_place_of(ptr);
	if (!place) {
		slab = bma__large_slab(ptr);
		return slab ? bma__large_bytes(slab) : 0;
	}
	e = __atomic_load_n(&place->engine, __ATOMIC_RELAXED);
	if (!e)
		return 0;
	if (bma__likely(!atomic_load_explicit(&place->interior, memory_order_relaxed)))
		return e->size;
	slab = bma__chunk_slab(ptr);
	return e->size - (size_t)((const char *)ptr - (const char *)bma__slab_near(slab, ptr));
}

struct bma_heap *bma_heap_of(const void *ptr)
{
	const struct bma_cache *place;
	struct bma_heap *heap;

	if (!bma__is_ready())
		return NULL;
	place = bma__engine_place_of(ptr);
	if (!place) {
		const struct bma__slab *slab = bma__large_slab(ptr);

		return slab ? bma__large_heap(slab) : NULL;
	}
	if (place->heap)
		return place->heap;
	heap = atomic_load_explicit(&global, memory_order_acquire);
	/* If it has the class. */
	return heap && bma__heap_frees(heap, place) ? heap : NULL;
}

struct bma_cache *bma_heap_cache(struct bma_heap *heap, size_t size)
{
	struct bma_cache *cache;

	if (!size || size > BMA_HEAP_CLASS_MAX)
		return NULL;
	cache = bma__heap_handle(heap, bma__heap_class(size));
	return cache->engine ? cache : NULL;
}
