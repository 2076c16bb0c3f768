/* SPDX-License-Identifier: MIT */
/* Magazines and their segments, see magazine.h. */
#include "cache.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

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
/* Written under the lock, after the entry. Segment 0 does not exist, so that index 0 means none. */
static _Atomic uint32_t nsegments = 1;
static _Atomic uint64_t mapped;

static uint32_t per_segment(uint32_t class)
{
	return (uint32_t)(BMA__MAG_SEGMENT_SIZE / bma__mag_size(class)) - 1;
}

static uintptr_t fresh(uint32_t class)
{
	struct class *c = &classes[class];
	uint32_t n = atomic_load_explicit(&c->taken, memory_order_relaxed);
	uint32_t index;

	do {
		if (n >= atomic_load_explicit(&c->limit, memory_order_acquire))
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&c->taken, &n, n + 1, memory_order_relaxed,
							memory_order_relaxed));
	index = (uint32_t)c->segments[n / per_segment(class)] * BMA__MAG_POSITIONS +
		n % per_segment(class) + 1;
	return bma__mag_word(bma__mag_at(class, index), 0);
}

uintptr_t bma__mag_new(uint32_t class)
{
	uintptr_t word = bma__stack_pop(&classes[class].idle, class | BMA__STACK_OUTLINE);

	return word ? word : fresh(class);
}

void bma__mag_release(uint32_t class, uintptr_t word)
{
	bma__assert(bma__mag_count(class, word) == 0);
	bma__stack_push(&classes[class].idle, class | BMA__STACK_OUTLINE, word);
}

static int map_segment(uint32_t class)
{
	struct class *c = &classes[class];
	uint32_t n = atomic_load_explicit(&c->limit, memory_order_relaxed);
	size_t links = bma__align_up((per_segment(class) + 1) * sizeof(uint64_t), BMA_PAGE);
	uint32_t number = atomic_load_explicit(&nsegments, memory_order_relaxed);
	struct bma__mag_segment *s = &bma__mag_segments[number];
	char *p;

	if (number == BMA__MAG_SEGMENTS)
		return -ENOMEM;
	p = bma__os_map_aligned(BMA__MAG_SEGMENT_SIZE + links, BMA__MAG_SEGMENT_SIZE);
	if (!p)
		return -ENOMEM;
	*(uint32_t *)p = number;
	s->base = (uintptr_t)p;
	s->links = (_Atomic uint64_t *)(p + BMA__MAG_SEGMENT_SIZE);
	c->segments[n / per_segment(class)] = (uint16_t)number;
	atomic_store_explicit(&nsegments, number + 1, memory_order_release);
	atomic_fetch_add_explicit(&mapped, BMA__MAG_SEGMENT_SIZE + links, memory_order_relaxed);
	atomic_store_explicit(&c->limit, n + per_segment(class), memory_order_release);
	return 0;
}

/*
 * Promises count what objects and slots need; magazines may all the same be elsewhere for a while, on the
 * tapes of slots that were in use before.
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

bool bma__mag_is_base(uint32_t class, uintptr_t base)
{
	uintptr_t segment = base & ~(BMA__MAG_SEGMENT_SIZE - 1);
	uint32_t n = atomic_load_explicit(&nsegments, memory_order_acquire);

	if (base == segment || base & (bma__mag_size(class) - 1))
		return false;
	for (uint32_t i = 1; i < n; i++) {
		if (bma__mag_segments[i].base == segment)
			return true;
	}
	return false;
}

bool bma__mag_is_index(uint32_t class, uint32_t index)
{
	uint32_t segment = index / BMA__MAG_POSITIONS, position = index % BMA__MAG_POSITIONS;

	return segment && segment < atomic_load_explicit(&nsegments, memory_order_acquire) &&
	       position && position <= per_segment(class);
}

static uint32_t pages_of_segment(void)
{
	return (uint32_t)(BMA__MAG_SEGMENT_SIZE / BMA_PAGE);
}

static size_t trim_bytes(uint32_t segments)
{
	return bma__align_up(BMA__MAG_SEGMENTS * sizeof(uint32_t) + segments * pages_of_segment(),
			     BMA_PAGE);
}

/*
 * A page goes back when all magazines in it are idle and in our hands: their links, which stay, keep
 * them on the list @head meanwhile. Magazines larger than a page do not exist. The first page of a segment,
 * which holds its number, stays: its position 0 is never idle.
 */
static void purge(uint32_t class, uint32_t head, uint32_t segments)
{
	uint32_t per_page = (uint32_t)(BMA_PAGE / bma__mag_size(class)), pages = pages_of_segment();
	uint32_t *ordinal = bma__os.map(trim_bytes(segments)); /* of a segment in its class */
	uint8_t *idle; /* per page: magazines in it that are idle */

	if (!ordinal)
		return;
	idle = (uint8_t *)(ordinal + BMA__MAG_SEGMENTS);
	for (uint32_t i = 0; i < segments; i++)
		ordinal[classes[class].segments[i]] = i;
	for (; head; head = bma__stack_next(class | BMA__STACK_OUTLINE, head))
		idle[ordinal[head / BMA__MAG_POSITIONS] * pages +
		     head % BMA__MAG_POSITIONS / per_page]++;
	for (uint32_t i = 0; i < segments * pages; i++) {
		struct bma__mag_segment *s = &bma__mag_segments[classes[class].segments[i / pages]];

		if (idle[i] == per_page)
			bma__os.advise((void *)(s->base + i % pages * BMA_PAGE), BMA_PAGE,
				       MADV_DONTNEED);
	}
	bma__os.unmap(ordinal, trim_bytes(segments));
}

static void trim_class(uint32_t class)
{
	uint32_t head = bma__stack_take_all(&classes[class].idle), index;

	if (!head)
		return;
	/* After the chain was taken: by its acquire all that is in it counts as taken. */
	purge(class, head,
	      atomic_load_explicit(&classes[class].taken, memory_order_relaxed) /
			      per_segment(class) +
		      1);
	while (head) {
		index = head;
		head = bma__stack_next(class | BMA__STACK_OUTLINE, index);
		bma__mag_release(class, bma__mag_word(bma__mag_at(class, index), 0));
	}
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
