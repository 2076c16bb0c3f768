/* SPDX-License-Identifier: MIT */
/*
 * The depot: what an engine keeps on one node, between the slots and the slabs.
 *
 * Full magazines stand on a ring of tagged stacks. The n-th put goes to stack n mod RING, the n-th get
 * begins there to look and goes round, so magazines come back in about the order in which they were put.
 * First in first out, because what one CPU has just freed is still in its cache, and for another CPU the
 * worst to write to: an object that went from hand to hand 4000 objects ago costs a third of one that went
 * 1000 ago (measured with one line per object between two CPUs). And the lines that putters and getters
 * change are not the same ones.
 *
 * What a slot has just put, and what comes back from a grace period, is another case: it comes from the CPU that freed it, a
 * moment ago, and is best handed out there again, before the stock is touched. It stands on stacks by slot, last in first out,
 * at which a get of that slot looks first. What came back from a grace period others get, too, before the stock. The
 * few that a slot put itself others get only after it: a thread that allocates and frees then finds its own.
 * Of a slot's puts no more than these few wait for it: those of one that frees what others allocate belong on
 * the ring.
 *
 * Invariant: a magazine that was put can be got, whatever other calls are stopped at: each stack is lock-free, and a get
 * comes back empty only if there was a moment in it at which all stacks were, those of slots included (take() in
 * depot.c). puts and gets only say where to begin and how many there are; puts - gets is exact when no call is in
 * progress.
 */
#ifndef BMA_CACHE_DEPOT_H
#define BMA_CACHE_DEPOT_H

#include "stack.h"

struct bma__engine;

#define BMA__DEPOT_RING 64u
#define BMA__DEPOT_LOCAL 8u

/* By slot, each on a line of its own. */
struct bma__depot_local {
	/* What it put, and how many: counted before a push and after a pop, so never too few. */
	struct bma__mag_stack near __attribute__((aligned(BMA_CACHELINE)));
	_Atomic uint32_t n;
	/* What it passed to free_rcu and came back. */
	struct bma__mag_stack recent;
};

struct bma__depot {
	struct bma__mag_stack full[BMA__DEPOT_RING] __attribute__((aligned(2 * BMA_CACHELINE)));
	struct bma__depot_local local[BMA__DEPOT_LOCAL];
	_Atomic uint64_t puts __attribute__((aligned(2 * BMA_CACHELINE)));
	_Atomic uint64_t gets __attribute__((aligned(2 * BMA_CACHELINE)));
	_Atomic uint32_t handed;   /* gets of what another slot put, up to a few */
	_Atomic uint32_t low_seen; /* least depth at a get since the worker looked */
	struct bma__mag_stack empty __attribute__((aligned(2 * BMA_CACHELINE)));
	_Atomic uint64_t empty_puts, empty_gets;
	_Atomic uint64_t ours; /* puts and gets that were not by slots */
};

/*
 * Take a full magazine: from the depot of the CPU's node, else of another. Wakes the worker when the depot
 * falls below its low watermark. Returns the word, or 0. Any context.
 */
uintptr_t bma__depot_get(struct bma__engine *e);
/* Put a magazine with elements. Wakes the worker above the high watermark. Any context. */
void bma__depot_put(struct bma__engine *e, uintptr_t word);
/* An empty one: from the depot, the idle ones of its class, or fresh. 0: there is none. Any context. */
uintptr_t bma__depot_get_empty(struct bma__engine *e);
void bma__depot_put_empty(struct bma__engine *e, uintptr_t word);

/* After several were added: see that the worker knows if the depot is above its high watermark. */
void bma__depot_watch(struct bma__engine *e);

/* In a child of fork: count anew what calls of threads that are not there had counted, or not yet. */
void bma__depot_recount(struct bma__engine *e, struct bma__depot *d);

/* The same by the worker, on a given node: wakes nobody, counts as no exchange. */
uintptr_t bma__depot_remove(struct bma__engine *e, struct bma__depot *d);
void bma__depot_add(struct bma__engine *e, struct bma__depot *d, uintptr_t word);

/*
 * The same for magazines that come back from a grace period, all at once: gathered by the slots that they were sealed
 * in (bma__mag_plane()), then returned.
 */
struct bma__depot_batch {
	struct bma__mag_chain chain[BMA__DEPOT_LOCAL];
	uint32_t n;
};
void bma__depot_gather(struct bma__engine *e, struct bma__depot_batch *batch, uintptr_t word);
void bma__depot_return(struct bma__engine *e, struct bma__depot *d,
		       const struct bma__depot_batch *batch);

/* The stacks of full magazines, for who looks at all of them: @i from 0 to BMA__DEPOT_STACKS - 1. */
#define BMA__DEPOT_STACKS (BMA__DEPOT_RING + 2 * BMA__DEPOT_LOCAL)
static inline struct bma__mag_stack *bma__depot_stack(struct bma__depot *d, uint32_t i)
{
	if (i < BMA__DEPOT_RING)
		return &d->full[i];
	i -= BMA__DEPOT_RING;
	return i < BMA__DEPOT_LOCAL ? &d->local[i].near : &d->local[i - BMA__DEPOT_LOCAL].recent;
}

/* Full magazines in @d, empty ones, and exchanges with slots, full and empty, either way. */
uint32_t bma__depot_depth(const struct bma__depot *d);
uint32_t bma__depot_empties(const struct bma__depot *d);
uint64_t bma__depot_exchanges(const struct bma__depot *d);

#endif /* BMA_CACHE_DEPOT_H */
