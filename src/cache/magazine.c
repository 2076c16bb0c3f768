/* SPDX-License-Identifier: MIT */
/* Magazines and their segments, see magazine.h. */
#include "cache.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define SEGMENT_BYTES ((size_t)2 << 20)

/*
 * @idle: magazines that nobody uses. @taken: ordinal of the next fresh one; @limit: fresh ones that
 * are mapped; taken <= limit. Ordinal o lies in segment segments[o / per segment]. Published by the
 * release of @limit.
 */
struct class
{
	struct bma__mag_stack idle;
	_Atomic uint32_t taken __attribute__((aligned(BMA_CACHELINE)));
	_Atomic uint32_t limit;
	uint64_t promised;		      /* [lock] */
	uint16_t segments[BMA__MAG_SEGMENTS]; /* [lock] up to @limit, then constant */
};

struct bma__mag_segment bma__mag_segments[BMA__MAG_SEGMENTS];
struct bma__lock bma__mag_lock = BMA__LOCK_INIT(BMA__RANK_SEGMENT);
static struct class classes[BMA__MAG_CLASSES];
static uint32_t nsegments = 1; /* [lock] segment 0 does not exist, so that index 0 means none */
static _Atomic uint64_t mapped;

static uint32_t per_segment(uint32_t class)
{
	return (uint32_t)(SEGMENT_BYTES / bma__mag_size(class));
}

static uintptr_t fresh(uint32_t class)
{
	struct class *c = &classes[class];
	uint32_t n = atomic_load_explicit(&c->taken, memory_order_relaxed);
	uint32_t index;
	uintptr_t base;

	do {
		if (n >= atomic_load_explicit(&c->limit, memory_order_acquire))
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&c->taken, &n, n + 1, memory_order_relaxed,
							memory_order_relaxed));
	index = (uint32_t)c->segments[n / per_segment(class)] * BMA__MAG_POSITIONS +
		n % per_segment(class);
	base = bma__mag_at(class, index);
	*(uint32_t *)base = index;
	return bma__mag_word(base, 0);
}

uintptr_t bma__mag_new(uint32_t class)
{
	uintptr_t word = bma__stack_pop(&classes[class].idle, class);

	return word ? word : fresh(class);
}

void bma__mag_release(uint32_t class, uintptr_t word)
{
	bma__assert(bma__mag_count(class, word) == 0);
	bma__stack_push(&classes[class].idle, class, word);
}

static int map_segment(uint32_t class)
{
	struct class *c = &classes[class];
	uint32_t n = atomic_load_explicit(&c->limit, memory_order_relaxed);
	size_t links = bma__align_up(per_segment(class) * sizeof(struct bma__mag_meta), BMA_PAGE);
	struct bma__mag_segment *s = &bma__mag_segments[nsegments];
	char *p;

	if (nsegments == BMA__MAG_SEGMENTS)
		return -ENOMEM;
	p = bma__os.map(SEGMENT_BYTES + links);
	if (!p)
		return -ENOMEM;
	s->base = (uintptr_t)p;
	s->meta = (struct bma__mag_meta *)(p + SEGMENT_BYTES);
	c->segments[n / per_segment(class)] = (uint16_t)nsegments++;
	atomic_fetch_add_explicit(&mapped, SEGMENT_BYTES + links, memory_order_relaxed);
	atomic_store_explicit(&c->limit, n + per_segment(class), memory_order_release);
	return 0;
}

/*
 * Promises count what objects and slots need; magazines may all the same be elsewhere for a while, on the
 * local stacks of slots that were in use before.
 */
uintptr_t bma__mag_new_sleep(uint32_t class)
{
	uintptr_t word = bma__mag_new(class);
	int rc;

	while (!word) {
		bma__lock_take(&bma__mag_lock);
		rc = map_segment(class);
		bma__lock_drop(&bma__mag_lock);
		if (rc)
			break;
		word = bma__mag_new(class);
	}
	return word;
}

int bma__mag_promise(uint32_t class, uint32_t n)
{
	struct class *c = &classes[class];
	int rc = 0;

	bma__lock_take(&bma__mag_lock);
	while (!rc && c->promised + n > atomic_load_explicit(&c->limit, memory_order_relaxed))
		rc = map_segment(class);
	if (!rc)
		c->promised += n;
	bma__lock_drop(&bma__mag_lock);
	return rc;
}

void bma__mag_unpromise(uint32_t class, uint32_t n)
{
	bma__lock_take(&bma__mag_lock);
	classes[class].promised -= n;
	bma__lock_drop(&bma__mag_lock);
}

/*
 * A page goes back when all magazines in it are idle and in our hands: their links, which stay,
 * keep them on the list meanwhile. Magazines larger than a page do not exist.
 */
static void trim_class(uint32_t class)
{
	uint32_t per_page = (uint32_t)(BMA_PAGE / bma__mag_size(class));
	uint32_t ordinals = atomic_load_explicit(&classes[class].taken, memory_order_relaxed);
	uint32_t pages = ordinals / per_page + 1, head, index;
	uint32_t page_of_segment = per_segment(class) / per_page;
	size_t bytes = bma__align_up(BMA__MAG_SEGMENTS * sizeof(uint32_t) + pages, BMA_PAGE);
	uint32_t *first_page;
	uint8_t *idle;

	if (!ordinals)
		return;
	first_page = bma__os.map(bytes);
	if (!first_page)
		return;
	idle = (uint8_t *)(first_page + BMA__MAG_SEGMENTS);
	for (uint32_t i = 0; i * per_segment(class) < ordinals; i++)
		first_page[classes[class].segments[i]] = i * page_of_segment;
	head = bma__stack_take_all(&classes[class].idle);
	for (index = head; index; index = bma__stack_next(index))
		idle[first_page[index / BMA__MAG_POSITIONS] +
		     index % BMA__MAG_POSITIONS / per_page]++;
	for (uint32_t page = 0; page < pages; page++) {
		uint32_t segment = classes[class].segments[page / page_of_segment];

		if (idle[page] == per_page)
			bma__os.advise((char *)bma__mag_segments[segment].base +
					       page % page_of_segment * BMA_PAGE,
				       BMA_PAGE, MADV_DONTNEED);
	}
	while (head) {
		index = head;
		head = bma__stack_next(index);
		bma__stack_push_index(&classes[class].idle, index, 0);
	}
	bma__os.unmap(first_page, bytes);
}

void bma__mag_trim(void)
{
	for (uint32_t class = 0; class < BMA__MAG_CLASSES; class ++)
		trim_class(class);
}

uint64_t bma__mag_bytes(void)
{
	return atomic_load_explicit(&mapped, memory_order_relaxed);
}
