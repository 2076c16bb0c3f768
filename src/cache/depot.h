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
 * Nodes: each has a depot. A get takes from its own node's, then from those of others, the nearest first. A put of a magazine of which the first object, the
 * last and the one in the middle are of slabs of one other node goes there: so what one node allocates and another frees goes home by the
 * magazine, at the cost of one exchange with a depot that it needs in any case. Mixed ones stay where they were put; each object finds home when they are drained.
 *
 * Invariant: a magazine that was put can be got, whatever other calls are stopped at: each stack is lock-free, and a get
 * comes back empty only if there was a moment in it at which all stacks were, those of slots included (take() in
 * depot.c).
 *
 * Invariant: puts - gets >= magazines on the stacks, and equal when no call is in progress. puts is raised before a push, gets
 * after a pop, with release; so who reads gets (acquire), then puts, and finds no difference, has proved that there is none.
 * Otherwise somebody may be stopped in between, and the stacks tell. A child of fork counts anew; what a handler's fork
 * interrupted between a stack and its count may stay counted once too often there. How many empty ones there are, or near
 * ones of a slot, decides nothing: these counts may be one off then, either way.
 */
#ifndef BMA_CACHE_DEPOT_H
#define BMA_CACHE_DEPOT_H

#include "count.h"
#include "stack.h"

struct bma__engine;

#define BMA__DEPOT_RING 64u
#define BMA__DEPOT_LOCAL 8u

/* By slot, each on a line of its own. */
struct bma__depot_local {
	/* What it put, and about how many, so that they are not too many. */
	struct bma__mag_stack near __attribute__((aligned(BMA_CACHELINE)));
	_Atomic uint32_t n;
	/* What it passed to free_rcu and came back. */
	struct bma__mag_stack recent;
};

struct bma__depot {
	struct bma__mag_stack full[BMA__DEPOT_RING] __attribute__((aligned(2 * BMA_CACHELINE)));
	struct bma__depot_local local[BMA__DEPOT_LOCAL];
	struct bma__count puts __attribute__((aligned(2 * BMA_CACHELINE)));
	struct bma__count gets __attribute__((aligned(2 * BMA_CACHELINE)));
	/* Of these, by CPUs of other nodes; and how many such CPUs took elsewhere because they found nothing here. */
	_Atomic uint64_t lent, borrowed;
	_Atomic uint64_t removed;  /* gets that were the worker's */
	_Atomic uint32_t handed;   /* gets of what another slot put, up to a few */
	_Atomic uint32_t low_seen; /* least depth at a get since the worker looked */
	struct bma__mag_stack empty __attribute__((aligned(2 * BMA_CACHELINE)));
	_Atomic uint64_t empty_puts, empty_gets;
	_Atomic uint64_t ours; /* puts and gets that were not by slots */
};

/*
 * Take a full magazine: from the depot of the CPU's node, else, unless @near, of another. Wakes the worker when the depot
 * falls below its low watermark. Returns the word, or 0. Any context.
 */
uintptr_t bma__depot_get(struct bma__engine *e, bool near);
/* The same from the depot of @node alone. */
uintptr_t bma__depot_get_on(struct bma__engine *e, uint32_t node);
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
/* What is of another node than the caller's goes there at once. */
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

/* Were all stacks of full ones empty at one moment? Counts are too high as long as somebody is stopped between his and his push, or a pop and his. */
bool bma__depot_is_empty(struct bma__depot *d);

/* Full magazines in @d, empty ones, and exchanges with slots, full and empty, either way. */
uint32_t bma__depot_depth(const struct bma__depot *d);
uint32_t bma__depot_empties(const struct bma__depot *d);
uint64_t bma__depot_exchanges(const struct bma__depot *d);

#endif /* BMA_CACHE_DEPOT_H */
