/* SPDX-License-Identifier: MIT */
/*
 * Heaps: a handle for each size class, and what is larger.
 *
 * Invariant: cache[c] is a handle on an engine of objects of bma__heap_class_size(c) bytes; or of more, in a heap of few classes, where several handles are of one
 * engine; or it has no engine and slots that stay empty, so that a call leaves by its slow half and is refused. Nothing of
 * it changes while the heap exists.
 *
 * An engine's own place (bma__engine_handle_at()) names the class of its size. So from an address to the handle of any heap it is the tag of
 * its unit, the class at the place of that id, and the handle of that class; if it is not of the same engine, the object is not this heap's.
 *
 * Large objects stand in a list of their heap. A free takes one out of the user's hands by an exchange (page/large.h) and pushes it on a stack, which
 * the next pass of the worker takes as a whole; so the list is changed under its lock only, and by callers that may sleep. From there the object goes the
 * way of a slab that was given up, through a grace period: then a deferred free is no different.
 */
#ifndef BMA_CACHE_HEAP_H
#define BMA_CACHE_HEAP_H

#include "engine.h"

#include <bma/heap.h>

struct bma_heap {
	union {
		struct bma_cache cache;
		char place[(size_t)1 << BMA__HANDLE_SHIFT];
	} handle[BMA__HEAP_CLASSES];
	uint64_t flags;
	char name[BMA__NAME_MAX];
	uint32_t engines;			       /* different ones */
	struct bma__engine *engine[BMA__HEAP_CLASSES]; /* in rising order of size */
	struct bma__record *record; /* who pays for it, or counts its objects; NULL: neither */
	struct bma__slab *large;    /* [lock: heap] by next and prev */
	_Atomic uint64_t large_live, large_bytes, too_large;
	struct bma_numa numa;
};

extern struct bma__lock bma__heap_lock;

/* A heap with engines of its own. */
#define BMA__HEAP_OWN (BMA_HEAP_PRIVATE | BMA_HEAP_DESTROY_ALL)

/* The sizes of bpf_mem_alloc, in rising order. */
#define BMA__HEAP_KERNEL_SIZES 11u
extern const uint16_t bma__heap_kernel_sizes[BMA__HEAP_KERNEL_SIZES];

struct bma__heap_attr {
	const char *name;
	uint64_t flags;	      /* BMA_HEAP_* */
	uint64_t cache_flags; /* of the engines */
	struct bma__flavor *flavor;
	const struct bma_group
		*payer; /* NULL: the root, and nobody for objects of shared classes */
	struct bma_numa numa;
};

/* May sleep. NULL and a negative errno in @rc. */
struct bma_heap *bma__heap_create(const struct bma__heap_attr *attr, int *rc);
/* As bma_heap_destroy(). */
int bma__heap_destroy(struct bma_heap *heap);

/*
 * May objects of the engine that @place is of be freed by @heap? Heaps that share their classes free each other's, whether groups pay for these one by one or not. Any
 * context.
 */
bool bma__heap_frees(struct bma_heap *heap, const struct bma_cache *place);
/* An allocation too large for its caller was refused. Any context. */
void bma__heap_refuse(struct bma_heap *heap);
/* Zeros, on @node (or a kind, see page/node.h), @strict: there or nowhere; NULL and a negative errno in @rc. May sleep. */
void *bma__heap_large_alloc(struct bma_heap *heap, size_t size, uint32_t node, bool strict,
			    int *rc);
/* The user has it no more; false: he had not before. Any context. */
bool bma__heap_large_free(struct bma__slab *slab);
/* Bytes of large objects of all heaps, live or not yet unmapped. Any context. */
uint64_t bma__heap_large_bytes(void);
/* Was something freed that nobody has collected yet? Any context. */
bool bma__heap_freed(void);
/* What was freed goes to the grace period; what somebody else just collects has gone there after, too. May sleep. */
void bma__heap_collect(void);
/* The same with all that is left. */
void bma__heap_large_release(struct bma_heap *heap);

#endif /* BMA_CACHE_HEAP_H */
