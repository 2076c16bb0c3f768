/* SPDX-License-Identifier: MIT */
/*
 * Metadata memory, see meta.h.
 *
 * Sizes are rounded up to 64 bytes. Larger ones than SMALL_MAX are mapped and unmapped. Smaller ones are pieces of blocks, each of one size, aligned to
 * their own size so that a piece finds its block. A block all of whose pieces are free gives its pages back, but for one of its size, and can be one of
 * another size next: what a spike of slabs needed goes when the slabs have gone. It stays mapped: who was asked about an address that is none any
 * more may just have found the slab that it was of, and reads zeros then, which are nobody's.
 *
 * Invariant, under bma__meta_lock: a piece that was cut is with its user, and counted in @live of its block, or on the list of its size.
 */
#include "page.h"

#include <string.h>
#include <sys/mman.h>

#define GRAIN 64
#define SMALL_MAX 8192
#define BLOCK ((size_t)256 << 10)
#define SIZES (SMALL_MAX / GRAIN + 1)

struct piece {
	struct piece *next, *prev;
};

struct block {
	size_t size; /* of a piece */
	size_t cut;  /* bytes, this struct's included */
	size_t live; /* pieces */
	struct block *next_clean;
};

struct size {
	struct piece *free;
	struct block *open;  /* with room for another piece */
	struct block *empty; /* without a live one */
};

struct bma__lock bma__meta_lock = BMA__LOCK_INIT(BMA__RANK_META);
static struct size sizes[SIZES];
static struct block *clean;
static _Atomic uint64_t mapped;

static void count(uint64_t bytes)
{
	atomic_fetch_add_explicit(&mapped, bytes, memory_order_relaxed);
}

static struct size *size_of(size_t bytes)
{
	return &sizes[bytes / GRAIN];
}

static struct block *block_of(const void *p)
{
	return (struct block *)((uintptr_t)p & ~(BLOCK - 1));
}

static void list_add(struct size *s, struct piece *p)
{
	p->prev = NULL;
	p->next = s->free;
	if (p->next)
		p->next->prev = p;
	s->free = p;
}

static void list_del(struct size *s, const struct piece *p)
{
	if (p->prev)
		p->prev->next = p->next;
	else
		s->free = p->next;
	if (p->next)
		p->next->prev = p->prev;
}

static struct block *block_new(size_t bytes)
{
	struct block *b = clean;

	if (b)
		clean = b->next_clean;
	else
		b = bma__os_map_aligned(BLOCK, BLOCK);
	if (!b)
		return NULL;
	count(BLOCK);
	b->size = bytes;
	b->cut = bma__align_up(sizeof *b, GRAIN);
	return b;
}

static bool has_room(const struct block *b)
{
	return b && BLOCK - b->cut >= b->size;
}

/* A piece that nobody had: zeros. */
static void *cut(struct size *s, size_t bytes)
{
	struct block *b = s->open;
	char *p;

	if (!has_room(b))
		b = s->open = block_new(bytes);
	if (!b)
		return NULL;
	p = (char *)b + b->cut;
	b->cut += bytes;
	return p;
}

static void *alloc_small(size_t bytes)
{
	struct size *s = size_of(bytes);
	struct piece *p = s->free;
	struct block *b;

	if (p) {
		list_del(s, p);
		memset(p, 0, bytes);
	} else {
		p = cut(s, bytes);
	}
	if (!p)
		return NULL;
	b = block_of(p);
	b->live++;
	if (s->empty == b)
		s->empty = NULL;
	return p;
}

/* One of which no piece is live. The system may keep it; then it is as before. */
static void release(struct size *s, struct block *b)
{
	size_t first = bma__align_up(sizeof *b, GRAIN);

	for (size_t at = first; at < b->cut; at += b->size)
		list_del(s, (struct piece *)(void *)((char *)b + at));
	if (!bma__os.advise(b, BLOCK, MADV_DONTNEED)) {
		count(0 - (uint64_t)BLOCK);
		b->next_clean = clean;
		clean = b;
		if (s->open == b)
			s->open = NULL;
		return;
	}
	for (size_t at = first; at < b->cut; at += b->size)
		list_add(s, (struct piece *)(void *)((char *)b + at));
}

static void free_small(void *p, size_t bytes)
{
	struct size *s = size_of(bytes);
	struct block *b = block_of(p);

	list_add(s, p);
	if (--b->live)
		return;
	if (s->empty)
		release(s, b);
	else
		s->empty = b;
}

void *bma__meta_alloc(size_t bytes)
{
	void *p;

	bytes = bma__align_up(bytes, GRAIN);
	if (bytes > SMALL_MAX) {
		bytes = bma__align_up(bytes, BMA_PAGE);
		p = bma__os.map(bytes);
		if (p)
			count(bytes);
		return p;
	}
	bma__lock_take(&bma__meta_lock);
	p = alloc_small(bytes);
	bma__lock_drop(&bma__meta_lock);
	return p;
}

void bma__meta_free(void *p, size_t bytes)
{
	if (!p)
		return;
	bytes = bma__align_up(bytes, GRAIN);
	if (bytes > SMALL_MAX) {
		bytes = bma__align_up(bytes, BMA_PAGE);
		if (!bma__os.unmap(p, bytes))
			count(0 - (uint64_t)bytes);
		return;
	}
	bma__lock_take(&bma__meta_lock);
	free_small(p, bytes);
	bma__lock_drop(&bma__meta_lock);
}

uint64_t bma__meta_bytes(void)
{
	return atomic_load_explicit(&mapped, memory_order_relaxed);
}
