/* SPDX-License-Identifier: MIT */
/*
 * The table of stacks: the reason why this profiler needs an allocator that works in a signal
 * handler. How many distinct stacks a program has is not known before it has run, so each new one
 * asks a BMA cache for a record, in the handler, whatever the handler interrupted.
 *
 * Chains hang from a fixed array of heads and only ever grow at their head, by compare-and-swap.
 * Release of that swap meets the acquire of whoever reads the head, so a record that is seen is
 * seen whole; its count is a plain atomic sum. Nothing is removed while handlers run, hence no
 * ABA and no need to wait for readers. Two handlers that bring the same new stack at once both
 * allocate; the one that comes second sees the other's record behind the head, adds to it and
 * gives its own back, which is as legal in a handler as taking it.
 */
#include "sigprof.h"

#include <bma/bma.h>
#include <string.h>

#define HEADS ((size_t)1 << 15)
/* Distinct stacks that a burst may bring before the worker has had a chance to run. */
#define STOCK 1024

static _Atomic(struct sigprof_record *) heads[HEADS];
static struct bma_cache *cache;

/*
 * An empty table. The child of fork makes one too, while it is alone and has no timer: the stacks
 * so far are its parent's. Their records stay where they are, in pages that the two share, and
 * making a cache starts the allocator's worker, which the child has not inherited.
 */
bool sigprof_record_init(void)
{
	struct bma_cache_attr attr;

	for (size_t i = 0; i < HEADS; i++) {
		/* A page that is not written to goes on being shared. */
		if (atomic_load_explicit(&heads[i], memory_order_relaxed))
			atomic_store_explicit(&heads[i], NULL, memory_order_relaxed);
	}
	memset(&attr, 0, sizeof(attr));
	attr.attr_size = sizeof(attr);
	attr.name = "sigprof-stacks";
	attr.size = sizeof(struct sigprof_record);
	attr.reserve = STOCK;
	cache = bma_cache_create(&attr);
	return cache != NULL;
}

struct bma_cache *sigprof_record_cache(void)
{
	return cache;
}

static uint64_t hash_of(const uintptr_t *pcs, size_t depth)
{
	uint64_t hash = depth;

	for (size_t i = 0; i < depth; i++) {
		hash = (hash ^ pcs[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return hash;
}

/* Looks from @first on, but not at @end nor behind it. */
static struct sigprof_record *find(struct sigprof_record *first, const struct sigprof_record *end,
				   uint64_t hash, const uintptr_t *pcs, size_t depth)
{
	for (struct sigprof_record *r = first; r != end; r = r->next) {
		if (r->hash == hash && r->depth == depth &&
		    !memcmp(r->pcs, pcs, depth * sizeof(pcs[0])))
			return r;
	}
	return NULL;
}

/* Any context. False: there was no record for a stack that is new. */
bool sigprof_record_add(const uintptr_t *pcs, size_t depth, uint64_t weight)
{
	uint64_t hash = hash_of(pcs, depth);
	_Atomic(struct sigprof_record *) *head = &heads[hash >> 49];
	struct sigprof_record *first = atomic_load_explicit(head, memory_order_acquire);
	struct sigprof_record *seen = NULL, *mine = NULL, *there;

	for (;;) {
		there = find(first, seen, hash, pcs, depth);
		if (there) {
			atomic_fetch_add_explicit(&there->count, weight, memory_order_relaxed);
			if (mine)
				bma_cache_free(cache, mine);
			return true;
		}
		if (!mine) {
			mine = bma_cache_alloc(cache);
			if (!mine)
				return false;
			mine->hash = hash;
			atomic_init(&mine->count, weight);
			mine->depth = depth;
			memcpy(mine->pcs, pcs, depth * sizeof(pcs[0]));
		}
		seen = first;
		mine->next = first;
		/* Where it fails, @first is the new head, and what lies before @seen is new. */
		if (atomic_compare_exchange_strong_explicit(
			    head, &first, mine, memory_order_release, memory_order_acquire))
			return true;
	}
}

void sigprof_record_each(void (*visit)(struct sigprof_record *record, void *arg), void *arg)
{
	for (size_t i = 0; i < HEADS; i++) {
		struct sigprof_record *r = atomic_load_explicit(&heads[i], memory_order_acquire);

		for (; r; r = r->next)
			visit(r, arg);
	}
}
