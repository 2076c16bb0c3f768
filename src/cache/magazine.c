/* SPDX-License-Identifier: MIT */
/* Magazines and their segments, see magazine.h. Ordering: MO-3 (docs/memory-ordering.md). */
#include "cache.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/*
 * @idle: magazines that nobody uses; @clean: those of them whose pages went back. @nidle: how many are idle, counted before a push and after a
 * pop, so never too few; @least: least of it since the last tick. @taken: ordinal of the next fresh one; @limit: fresh ones that
 * are mapped; taken <= limit. Ordinal o lies in segment segments[o / per segment]. Published by the
 * release of @limit.
 */
struct class
{
	struct bma__mag_stack idle, clean;
	_Atomic uint32_t nidle, least;
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

/* So many bytes of magazines that were idle from one tick to the next are worth the calls. */
#define TICK_BYTES ((uint32_t)1 << 20)

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

static uintptr_t pop_idle(uint32_t class)
{
	struct class *c = &classes[class];
	uintptr_t word = bma__stack_pop(&c->idle, class | BMA__STACK_OUTLINE);
	uint32_t left;

	if (!word)
		return 0;
	left = atomic_fetch_sub_explicit(&c->nidle, 1, memory_order_relaxed) - 1;
	if (left < atomic_load_explicit(&c->least, memory_order_relaxed))
		atomic_store_explicit(&c->least, left, memory_order_relaxed);
	return word;
}

/* Those whose pages are there come first. */
uintptr_t bma__mag_new(uint32_t class)
{
	uintptr_t word = pop_idle(class);

	if (!word)
		word = bma__stack_pop(&classes[class].clean, class | BMA__STACK_OUTLINE);
	return word ? word : fresh(class);
}

void bma__mag_release(uint32_t class, uintptr_t word)
{
	bma__assert(bma__mag_count(class, word) == 0);
	atomic_fetch_add_explicit(&classes[class].nidle, 1, memory_order_relaxed);
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
 * Giving pages of idle magazines back.
 *
 * Invariant: a magazine is idle, clean, or in the hand of who gives pages back, and then on a stack of his; links are out of line, so pages may go
 * under them. A page goes when all magazines in it are in that hand, and these are clean afterwards; the others become idle again.
 * Who takes so many in hand has them *promised* first (see bma__mag_promise), so what others were promised can be had meanwhile, if
 * not among the idle ones then fresh: no free parks that would not without this. bma__advise_lock is held, and taken by fork, so in a child none is
 * in hand.
 *
 * The first page of a segment, which holds its number, stays: its position 0 is never idle. Magazines larger than a page do not exist.
 */
struct hand {
	struct bma__mag_stack idle; /* of pages that may go */
	struct bma__mag_stack rest; /* of others */
	uint32_t nrest;
};

static void hold(struct bma__mag_stack *stack, uint32_t class, uint32_t index)
{
	bma__stack_push(stack, class | BMA__STACK_OUTLINE,
			bma__mag_word(bma__mag_at(class, index), 0));
}

static uint32_t head_of(const struct bma__mag_stack *stack)
{
	return (uint32_t)atomic_load_explicit(&stack->head, memory_order_relaxed);
}

/* Neighbouring pages of which all magazines are in hand, in one call each. @idle is 0 afterwards where the system refused. */
static void advise_pages(uint32_t class, uint8_t *idle, uint32_t segments)
{
	uint32_t per_page = (uint32_t)(BMA_PAGE / bma__mag_size(class)), pages = pages_of_segment();

	for (uint32_t i = 0, n; i < segments * pages; i += n) {
		struct bma__mag_segment *s = &bma__mag_segments[classes[class].segments[i / pages]];

		n = 1;
		if (idle[i] != per_page)
			continue;
		while ((i + n) % pages && idle[i + n] == per_page)
			n++;
		if (bma__os.advise((void *)(s->base + i % pages * BMA_PAGE), n * BMA_PAGE,
				   MADV_DONTNEED))
			memset(idle + i, 0, n);
	}
}

/* Those in hand whose pages went become clean, the others are the rest. */
static void sort(uint32_t class, struct hand *hand, const uint32_t *ordinal, const uint8_t *idle)
{
	uint32_t per_page = (uint32_t)(BMA_PAGE / bma__mag_size(class)), pages = pages_of_segment();
	uint32_t index = bma__stack_take_all(&hand->idle);

	while (index) {
		uint32_t next = bma__stack_next(class | BMA__STACK_OUTLINE, index);
		bool went = false;

		if (idle)
			went = idle[ordinal[index / BMA__MAG_POSITIONS] * pages +
				    index % BMA__MAG_POSITIONS / per_page] == per_page;
		hand->nrest += !went;
		hold(went ? &classes[class].clean : &hand->rest, class, index);
		index = next;
	}
}

static void purge(uint32_t class, struct hand *hand, uint32_t segments)
{
	uint32_t per_page = (uint32_t)(BMA_PAGE / bma__mag_size(class)), pages = pages_of_segment();
	uint32_t *ordinal = bma__os.map(trim_bytes(segments)); /* of a segment in its class */
	uint8_t *idle; /* per page: magazines in it that are in hand */

	if (!ordinal) {
		sort(class, hand, NULL, NULL);
		return;
	}
	idle = (uint8_t *)(ordinal + BMA__MAG_SEGMENTS);
	for (uint32_t i = 0; i < segments; i++)
		ordinal[classes[class].segments[i]] = i;
	for (uint32_t i = head_of(&hand->idle); i;
	     i = bma__stack_next(class | BMA__STACK_OUTLINE, i))
		idle[ordinal[i / BMA__MAG_POSITIONS] * pages + i % BMA__MAG_POSITIONS / per_page]++;
	advise_pages(class, idle, segments);
	sort(class, hand, ordinal, idle);
	bma__os.unmap(ordinal, trim_bytes(segments));
}

/* Up to @most idle ones in hand. Returns how many. */
static uint32_t take_idle(uint32_t class, struct hand *hand, uint32_t most)
{
	uint32_t n = 0;
	uintptr_t word;

	for (; n < most && (word = pop_idle(class)); n++)
		bma__stack_push(&hand->idle, class | BMA__STACK_OUTLINE, word);
	return n;
}

/* How many may be in hand at a time: those that nobody was promised, or as many as need one segment more. */
static uint32_t portion(uint32_t class)
{
	struct class *c = &classes[class];
	uint32_t limit = atomic_load_explicit(&c->limit, memory_order_relaxed), spare;

	bma__lock_take(&bma__mag_lock);
	spare = c->promised < limit ? limit - (uint32_t)c->promised : 0;
	bma__lock_drop(&bma__mag_lock);
	return spare > per_segment(class) ? spare : per_segment(class);
}

static void trim_class(uint32_t class)
{
	struct class *c = &classes[class];
	uint32_t left = atomic_load_explicit(&c->nidle, memory_order_relaxed);
	struct hand hand = {0};

	bma__lock_take(&bma__advise_lock);
	while (left) {
		uint32_t most = portion(class), before = hand.nrest, n;

		most = most < left ? most : left;
		if (bma__mag_promise(class, most))
			break;
		n = take_idle(class, &hand, most);
		/* After they were taken: by that acquire all of them count as fresh ones that were taken. */
		if (n)
			purge(class, &hand,
			      (atomic_load_explicit(&c->taken, memory_order_relaxed) - 1) /
					      per_segment(class) +
				      1);
		/* What stays in hand stays promised. */
		bma__mag_unpromise(class, most - (hand.nrest - before));
		left = n < most ? 0 : left - n;
	}
	for (uint32_t i = bma__stack_take_all(&hand.rest), next; i; i = next) {
		next = bma__stack_next(class | BMA__STACK_OUTLINE, i);
		bma__mag_release(class, bma__mag_word(bma__mag_at(class, i), 0));
	}
	bma__mag_unpromise(class, hand.nrest);
	bma__lock_drop(&bma__advise_lock);
}

void bma__mag_trim(void)
{
	for (uint32_t class = 0; class < BMA__MAG_CLASSES; class ++)
		trim_class(class);
}

bool bma__mag_tick(void)
{
	bool any = false;

	for (uint32_t class = 0; class < BMA__MAG_CLASSES; class ++) {
		struct class *c = &classes[class];
		uint32_t most = TICK_BYTES / bma__mag_size(class);
		uint32_t now = atomic_load_explicit(&c->nidle, memory_order_relaxed);
		uint32_t least = atomic_exchange_explicit(&c->least, now, memory_order_relaxed);

		if (least >= most && now >= most)
			trim_class(class);
		else
			any |= now >= most;
	}
	return any;
}

uint64_t bma__mag_bytes(void)
{
	return atomic_load_explicit(&mapped, memory_order_relaxed);
}
