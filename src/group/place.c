/* SPDX-License-Identifier: MIT */
/*
 * Where groups stand, and their handles.
 *
 * Places that were given back are used again before new ones, the one that waits longest first. A place's generation goes up when it is given back: from then
 * on the handle of who stood there names nothing, and one comparison of the generation says so.
 *
 * Ordering: MO-37 (docs/memory-ordering.md).
 */
#include "place.h"

#include <errno.h>

#define PLACES ((size_t)65536)
#define REGION (PLACES << BMA__GROUP_SHIFT)
#define HANDLES (PLACES << BMA__GROUP_HANDLES)
#define GENERATION_MASK (((uintptr_t)1 << BMA__GROUP_HANDLES) - 1)
#define GENERATION_LAST ((uint32_t)GENERATION_MASK)

_Static_assert(BMA_GROUPS_MAX < PLACES, "a place for each");

static _Atomic(char *) region;
static struct bma__group *free_first, *free_last; /* [lock: group] */
static uint32_t used, count;			  /* [lock: group] places that ever were; groups */

int bma__place_init(size_t extra, void **more)
{
	char *p = bma__os.map(REGION + extra);

	if (!p)
		return -ENOMEM;
	*more = p + REGION;
	atomic_store_explicit(&region, p, memory_order_release);
	return 0;
}

static struct bma__group *place(size_t index)
{
	char *base = atomic_load_explicit(&region, memory_order_acquire);

	return (struct bma__group *)(void *)(base + (index << BMA__GROUP_SHIFT));
}

struct bma__group *bma__place_at(uint32_t index)
{
	return place(index);
}

uint32_t bma__place_index(const struct bma__group *g)
{
	uintptr_t base = (uintptr_t)atomic_load_explicit(&region, memory_order_acquire);

	return (uint32_t)(((uintptr_t)g - base) >> BMA__GROUP_SHIFT);
}

struct bma__group *bma__place_take(void)
{
	struct bma__group *g = free_first;

	if (count == BMA_GROUPS_MAX)
		return NULL;
	if (g) {
		free_first = g->free_next;
		g->free_next = NULL;
	} else {
		g = place(used++);
		atomic_store_explicit(&g->generation, 1, memory_order_relaxed);
	}
	count++;
	return g;
}

void bma__place_give(struct bma__group *g)
{
	uint32_t generation = atomic_load_explicit(&g->generation, memory_order_relaxed);

	atomic_store_explicit(&g->generation, generation % GENERATION_LAST + 1,
			      memory_order_release);
	atomic_store_explicit(&g->state, BMA__GROUP_FREE, memory_order_release);
	g->free_next = NULL;
	if (free_first)
		free_last->free_next = g;
	else
		free_first = g;
	free_last = g;
	count--;
}

uint32_t bma__group_count(void)
{
	return count;
}

struct bma__group *bma__group_of(const struct bma_group *handle)
{
	uintptr_t word = (uintptr_t)handle;
	uintptr_t base = (uintptr_t)atomic_load_explicit(&region, memory_order_acquire);
	uintptr_t offset = (word - base) & ~GENERATION_MASK;
	struct bma__group *g;

	if (!base || offset >= HANDLES)
		return NULL;
	g = place(offset >> BMA__GROUP_HANDLES);
	/* The state first: the generation was right when it was read, and it changes before the state does. */
	if (atomic_load_explicit(&g->state, memory_order_acquire) == BMA__GROUP_FREE ||
	    atomic_load_explicit(&g->generation, memory_order_acquire) !=
		    ((word - base) & GENERATION_MASK))
		return NULL;
	return g;
}

struct bma__group *bma__group_online(const struct bma_group *handle)
{
	struct bma__group *g = bma__group_of(handle);

	if (g && atomic_load_explicit(&g->state, memory_order_relaxed) == BMA__GROUP_ONLINE)
		return g;
	return NULL;
}

struct bma_group *bma__group_handle(const struct bma__group *g)
{
	uintptr_t base = (uintptr_t)atomic_load_explicit(&region, memory_order_acquire);
	uint32_t generation = atomic_load_explicit(&g->generation, memory_order_relaxed);

	return (struct bma_group *)(base + ((uintptr_t)bma__place_index(g) << BMA__GROUP_HANDLES) +
				    generation);
}

uint32_t bma__group_index(const struct bma__group *g)
{
	return g ? bma__place_index(g) : 0;
}
