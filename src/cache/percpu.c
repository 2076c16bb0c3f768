/* SPDX-License-Identifier: MIT */
/* Per-CPU objects, see percpu.h. */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

/* After so many sequences that were aborted the last copy serves, whoever's it is. */
#define TRIES 8

struct bma__percpu bma__percpu;

void bma__percpu_init(void)
{
	bma__percpu.index = bma__cpu.mode == BMA_MODE_GUEST ? 0 : bma__cpu.index;
	bma__percpu.slots = bma__cpu.possible;
}

uint64_t bma__percpu_here(void)
{
	return bma__plane_indexed() ? bma__rseq_read(bma__cpu.index) : bma__percpu.slots;
}

/*
 * The last copy is everybody's, so it is added to by an atomic operation; the others by sequences of threads on their
 * CPU alone. An aborted sequence has added nothing.
 */
void bma__percpu_add_slow(uint64_t *obj, uint64_t n)
{
	uint64_t *last = bma__percpu_at(obj, bma__percpu.slots);

	/* The inlined sequence may have left its descriptor, of code that can be unloaded. */
	bma__rseq_clear();

#if BMA__RSEQ_BUILT
	for (int i = 0; i < TRIES && bma__plane_indexed(); i++) {
		BMA__PERCPU_ADD(obj, bma__percpu.index, n, aborted);
		bma__rseq_clear();
		return;
aborted:
		bma__rseq_clear();
	}
#endif
	__atomic_fetch_add(last, n, __ATOMIC_RELAXED);
}

uint64_t bma__percpu_sum(const uint64_t *word)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i <= bma__percpu.slots; i++)
		sum += __atomic_load_n((const uint64_t *)bma__percpu_at(word, i), __ATOMIC_RELAXED);
	return sum;
}

void bma__percpu_bad(const void *obj, uint64_t copy)
{
	bma__log_abort("per-CPU object %p: copy %llu of %llu was asked for", obj,
		       (unsigned long long)copy, (unsigned long long)bma__percpu.slots + 1);
}

static void clear(unsigned char *p, size_t n)
{
	size_t i = 0;

	for (; i + sizeof(uint64_t) <= n; i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, p + i, sizeof word);
		if (word)
			memset(p + i, 0, sizeof word);
	}
	for (; i < n; i++) {
		if (p[i])
			p[i] = 0;
	}
}

void bma__percpu_clear(const struct bma__engine *e, void *obj)
{
	for (uint64_t i = 0; i <= bma__percpu.slots; i++)
		clear(bma__percpu_at(obj, i), e->size);
}

static const struct bma__engine_attr counters = {
	.name = "bma-counter",
	.size = sizeof(uint64_t),
	.align = sizeof(uint64_t),
	.flags = BMA_CACHE_PERCPU,
};

uint64_t *bma__percpu_counter(void)
{
	struct bma__engine_attr attr = counters;
	struct bma__engine *e;
	uint64_t *counter;
	int rc;

	attr.flavor = bma__flavor_get(NULL);
	if (!attr.flavor)
		return NULL;
	e = bma__merge_get(&attr, &rc);
	if (!e)
		return NULL;
	counter = bma__refill_object(e);
	if (counter)
		bma__checked_taken(e, counter, "a counter's allocation");
	else
		bma__merge_put(e);
	return counter;
}

void bma__percpu_counter_free(uint64_t *counter)
{
	struct bma__engine *e = bma__engine_place_of(counter)->engine;

	bma__checked_free(e, counter);
	bma__merge_put(e);
}
