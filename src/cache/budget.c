/* SPDX-License-Identifier: MIT */
/* The budget, see budget.h. */
#include "cache.h"

#define SHARE 32u /* of the memory */
#define LEAST ((uint64_t)16 << 20)
#define MOST ((uint64_t)4 << 30)
#define BITS BMA__BUDGET_GENERATION_BITS
#define GENERATION ((1u << BITS) - 1)

_Atomic uint64_t bma__budget_word;
static uint64_t total; /* [const] */
_Atomic bool bma__budget_missed;
static uint64_t recount; /* [fork] */

void bma__budget_init(void)
{
	uint64_t share = bma__ram_bytes() / SHARE;

	share = share < LEAST ? LEAST : share > MOST ? MOST : share;
	total = bma__env.cache_budget ? bma__env.cache_budget : share;
}

uint64_t bma__budget_total(void)
{
	return total;
}

uint64_t bma__budget_used(void)
{
	return atomic_load_explicit(&bma__budget_word, memory_order_relaxed) >> BITS;
}

uint32_t bma__budget_limit(const struct bma__slot *s)
{
	return atomic_load_explicit(&s->limit, memory_order_relaxed) >> BITS;
}

/* What @mags magazines cost. */
static uint64_t cost(const struct bma__engine *e, uint32_t mags)
{
	return (uint64_t)mags * e->capacity * e->charge;
}

/* False: it does not fit. @generation: what was charged under; @first: nothing was before. */
static bool charge(uint64_t bytes, uint32_t *generation, bool *first)
{
	uint64_t v = atomic_load_explicit(&bma__budget_word, memory_order_relaxed);

	do {
		if (bytes > total - (v >> BITS))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&bma__budget_word, &v, v + (bytes << BITS),
							memory_order_relaxed,
							memory_order_relaxed));
	*generation = (uint32_t)v & GENERATION;
	*first = !(v >> BITS);
	return true;
}

/* What was charged under another generation is not counted any more. */
static void uncharge(uint64_t bytes, uint32_t generation)
{
	uint64_t v = atomic_load_explicit(&bma__budget_word, memory_order_relaxed);

	while ((v & GENERATION) == generation &&
	       !atomic_compare_exchange_weak_explicit(&bma__budget_word, &v, v - (bytes << BITS),
						      memory_order_relaxed, memory_order_relaxed))
		;
}

static void refused(struct bma__engine *e, struct bma__slot *s)
{
	if (!atomic_load_explicit(&s->refused, memory_order_relaxed)) {
		atomic_store_explicit(&s->refused, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&e->budget_refused, 1, memory_order_relaxed);
	}
	if (atomic_load_explicit(&bma__budget_missed, memory_order_relaxed))
		return;
	atomic_store_explicit(&bma__budget_missed, true, memory_order_relaxed);
	bma__worker_wake(); /* to look for room */
}

/*
 * The limit from that of the word @old to @mags, which is more. False: it does not fit. True: it has risen, or was changed by
 * another meanwhile.
 */
static bool raise_limit(struct bma__engine *e, struct bma__slot *s, uint32_t old, uint32_t mags,
			bool *rose)
{
	uint64_t bytes = cost(e, mags - (old >> BITS));
	uint32_t generation;
	bool first;

	*rose = false;
	if (!charge(bytes, &generation, &first))
		return false;
	/* A fork since @old was read has changed its generation, too: all that follows is of the new one. */
	*rose = atomic_compare_exchange_strong_explicit(&s->limit, &old, mags << BITS | generation,
							memory_order_relaxed, memory_order_relaxed);
	if (!*rose)
		uncharge(bytes, generation);
	else
		atomic_store_explicit(&s->refused, 0, memory_order_relaxed);
	if (*rose && first)
		bma__worker_wake(); /* it looks for idle slots from now on */
	return true;
}

/* With little left one magazine has to do. */
static uint32_t first_limit(const struct bma__engine *e)
{
	return bma__budget_used() > total / 4 * 3 ? 1 : e->tape;
}

bool bma__budget_open(struct bma__engine *e, struct bma__slot *s)
{
	uint32_t old = atomic_load_explicit(&s->limit, memory_order_relaxed), mags;
	bool rose;

	if (old >> BITS)
		return true;
	mags = first_limit(e);
	if (!raise_limit(e, s, old, mags, &rose) &&
	    (mags == 1 || !raise_limit(e, s, old, 1, &rose))) {
		refused(e, s);
		return false;
	}
	return bma__budget_limit(s) != 0;
}

bool bma__budget_grow(struct bma__engine *e, struct bma__slot *s)
{
	uint32_t old = atomic_load_explicit(&s->limit, memory_order_relaxed);
	uint32_t limit = old >> BITS, longer = limit * 2;
	bool rose;

	if (longer > e->tape_max)
		longer = e->tape_max;
	if (longer <= limit)
		return false;
	if (!raise_limit(e, s, old, longer, &rose)) {
		refused(e, s);
		return false;
	}
	if (rose)
		atomic_fetch_add_explicit(&e->slot_grows, 1, memory_order_relaxed);
	return rose;
}

bool bma__budget_close(struct bma__engine *e, struct bma__slot *s)
{
	uint32_t old = atomic_load_explicit(&s->limit, memory_order_relaxed);

	while (old >> BITS &&
	       !atomic_compare_exchange_weak_explicit(&s->limit, &old, old & GENERATION,
						      memory_order_relaxed, memory_order_relaxed))
		;
	if (!(old >> BITS))
		return false;
	uncharge(cost(e, old >> BITS), old & GENERATION);
	atomic_fetch_add_explicit(&e->slot_shrinks, 1, memory_order_relaxed);
	return true;
}

bool bma__budget_wanted(void)
{
	return atomic_load_explicit(&bma__budget_missed, memory_order_relaxed) &&
	       atomic_exchange_explicit(&bma__budget_missed, false, memory_order_relaxed);
}

void bma__budget_fork_begin(void)
{
	recount = 0;
	atomic_store_explicit(&bma__budget_word, total << BITS | bma__ticket_generation(),
			      memory_order_relaxed);
}

void bma__budget_fork_slot(struct bma__engine *e, struct bma__slot *s)
{
	uint32_t old = atomic_load_explicit(&s->limit, memory_order_relaxed);

	while ((old & GENERATION) != bma__ticket_generation() &&
	       !atomic_compare_exchange_weak_explicit(
		       &s->limit, &old, (old & ~GENERATION) | bma__ticket_generation(),
		       memory_order_relaxed, memory_order_relaxed))
		;
	recount += cost(e, old >> BITS);
}

void bma__budget_fork_end(void)
{
	atomic_fetch_sub_explicit(&bma__budget_word, (total - recount) << BITS,
				  memory_order_relaxed);
}
