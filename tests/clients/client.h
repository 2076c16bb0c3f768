/* SPDX-License-Identifier: MIT */
/* What the clients share: the heap that a program runs on, and what it must have given back at its end. */
#ifndef CLIENTS_CLIENT_H
#define CLIENTS_CLIENT_H

#include <bma/bma.h>

#include "test.h"

static inline struct bma_heap *client_heap(const char *name, uint64_t flags)
{
	struct bma_heap_attr attr = {.attr_size = sizeof attr, .name = name, .flags = flags};
	struct bma_heap *heap = bma_heap_create(&attr);

	CHECK(heap, "no heap for %s", name);
	return heap;
}

/* Large objects and deferred ones count as live until they have gone: that is what the trim waits for. */
static inline uint64_t client_live(struct bma_heap *heap)
{
	struct bma_heap_stats s;
	int rc = bma_trim();

	CHECK(!rc, "bma_trim: %d", rc);
	rc = bma_heap_stats_get(heap, &s, sizeof s);
	CHECK(!rc, "bma_heap_stats_get: %d", rc);
	CHECK(s.live != UINT64_MAX, "heap %s does not count", s.name);
	return s.live;
}

/* The program says that it is done. */
static inline void client_end(struct bma_heap *heap, const char *who)
{
	uint64_t live = client_live(heap);
	int rc;

	CHECK(!live, "%s is done, and %llu objects are live", who, (unsigned long long)live);
	rc = bma_heap_destroy(heap);
	CHECK(!rc, "%s: bma_heap_destroy: %d", who, rc);
}

#endif /* CLIENTS_CLIENT_H */
