/* SPDX-License-Identifier: MIT */
/*
 * Large objects: a run of pages each, with a slab of one object to find it by.
 *
 * The slab's geometry has 0 units, which tells it from others. It has no bitmaps: the object is live until its slab is
 * given up to the grace period like any other (bma__slab_destroy() then knows what to do).
 */
#ifndef BMA_PAGE_LARGE_H
#define BMA_PAGE_LARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bma__slab;

/* @bytes of zeros on @node, @strict: there or nowhere, or NULL. @owner as of a slab, @heap whatever the caller likes. May sleep. */
void *bma__large_alloc(size_t bytes, void *owner, void *heap, uint32_t node, bool strict);
/* The slab of a large object, or NULL if @p is none. Any context; @p may be any bit pattern. */
struct bma__slab *bma__large_slab(const void *p);
size_t bma__large_bytes(const struct bma__slab *slab);
void *bma__large_heap(const struct bma__slab *slab);
/* The user has it no more: false if somebody said so before. Any context. */
bool bma__large_drop(struct bma__slab *slab);
/* A link for whoever has it. */
void bma__large_set_link(struct bma__slab *slab, struct bma__slab *next);
struct bma__slab *bma__large_link(const struct bma__slab *slab);
/* Give its pages back, and keep it; nothing for a slab of a class. May sleep; takes as long as there are pages. */
void bma__large_empty(struct bma__slab *slab);
/* Give it back to the system. May sleep. */
void bma__large_destroy(struct bma__slab *slab);

#endif /* BMA_PAGE_LARGE_H */
