/* SPDX-License-Identifier: MIT */
/* What dl.c and its plugin agree on. */
#ifndef BMA_DL_PLUGIN_H
#define BMA_DL_PLUGIN_H

#include <bma/bma.h>

#include <stdint.h>

/* Allocates and frees on @cache as @r says. Returns how many it got, or what it found. */
typedef int plugin_fn(struct bma_cache *cache, uint64_t r);

#define PLUGIN_TWICE (-1)
#define PLUGIN_CHANGED (-2)

#endif /* BMA_DL_PLUGIN_H */
