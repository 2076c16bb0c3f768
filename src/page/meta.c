/* SPDX-License-Identifier: MIT */
/*
 * Metadata memory, see meta.h.
 *
 * Sizes are rounded up to 64 bytes. Up to SMALL_MAX they are cut from blocks and kept in one free
 * list a size; larger ones are mapped and unmapped. All under bma__meta_lock.
 */
#include "page.h"

#include <string.h>

#define GRAIN 64
#define SMALL_MAX 8192
#define BLOCK ((size_t)256 << 10)

struct node {
	struct node *next;
};

struct bma__lock bma__meta_lock = BMA__LOCK_INIT(BMA__RANK_META);
static struct node *free_nodes[SMALL_MAX / GRAIN + 1];
static char *cursor, *block_end;
static _Atomic uint64_t mapped;

static void *map(size_t bytes)
{
	void *p = bma__os.map(bytes);

	if (p)
		atomic_fetch_add_explicit(&mapped, bytes, memory_order_relaxed);
	return p;
}

/* What is left of a block when a larger piece is wanted goes to the list of its size. */
static bool next_block(void)
{
	size_t rest = (size_t)(block_end - cursor);
	char *block = map(BLOCK);

	if (!block)
		return false;
	while (rest >= GRAIN) {
		size_t piece = rest < SMALL_MAX ? rest : SMALL_MAX;
		struct node *n = (struct node *)cursor;

		n->next = free_nodes[piece / GRAIN];
		free_nodes[piece / GRAIN] = n;
		cursor += piece;
		rest -= piece;
	}
	cursor = block;
	block_end = block + BLOCK;
	return true;
}

static void *alloc_small(size_t bytes)
{
	struct node *n = free_nodes[bytes / GRAIN];
	void *p;

	if (n) {
		free_nodes[bytes / GRAIN] = n->next;
		return memset(n, 0, bytes);
	}
	if ((size_t)(block_end - cursor) < bytes && !next_block())
		return NULL;
	p = cursor;
	cursor += bytes;
	return p;
}

void *bma__meta_alloc(size_t bytes)
{
	void *p;

	bytes = bma__align_up(bytes, GRAIN);
	if (bytes > SMALL_MAX)
		return map(bma__align_up(bytes, BMA_PAGE));
	bma__lock_take(&bma__meta_lock);
	p = alloc_small(bytes);
	bma__lock_drop(&bma__meta_lock);
	return p;
}

void bma__meta_free(void *p, size_t bytes)
{
	struct node *n = p;

	if (!p)
		return;
	bytes = bma__align_up(bytes, GRAIN);
	if (bytes > SMALL_MAX) {
		bytes = bma__align_up(bytes, BMA_PAGE);
		if (!bma__os.unmap(p, bytes))
			atomic_fetch_sub_explicit(&mapped, bytes, memory_order_relaxed);
		return;
	}
	bma__lock_take(&bma__meta_lock);
	n->next = free_nodes[bytes / GRAIN];
	free_nodes[bytes / GRAIN] = n;
	bma__lock_drop(&bma__meta_lock);
}

uint64_t bma__meta_bytes(void)
{
	return atomic_load_explicit(&mapped, memory_order_relaxed);
}
