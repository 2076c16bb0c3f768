/* SPDX-License-Identifier: MIT */
/*
 * Layer 1: memory by the page. Knows addresses, nodes and sizes; knows nothing of caches or
 * threads.
 */
#ifndef BMA_PAGE_PAGE_H
#define BMA_PAGE_PAGE_H

#include "base/base.h"

#include "chunk.h"
#include "large.h"
#include "meta.h"
#include "node.h"
#include "purge.h"
#include "slab.h"

#endif /* BMA_PAGE_PAGE_H */
