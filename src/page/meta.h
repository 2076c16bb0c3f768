/* SPDX-License-Identifier: MIT */
/*
 * Memory for metadata: engines, slabs' bitmaps, reserves. Apart from the objects, so that an object
 * written over its end does not reach it. It is small (0.7 % of slabs of 64-byte objects), but what a spike needed goes
 * back to the system with its slabs. Small pieces stay mapped, and read as zeros then.
 */
#ifndef BMA_PAGE_META_H
#define BMA_PAGE_META_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory of @bytes, at a multiple of 64; NULL if the system has none. May sleep. */
void *bma__meta_alloc(size_t bytes);
/* Give back what bma__meta_alloc(@bytes) returned; NULL is a no-op. May sleep. */
void bma__meta_free(void *p, size_t bytes);
/* Bytes mapped for metadata. */
uint64_t bma__meta_bytes(void);

extern struct bma__lock bma__meta_lock;

#endif /* BMA_PAGE_META_H */
