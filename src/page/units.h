/* SPDX-License-Identifier: MIT */
/*
 * What chunk.c and purge.c both know of a chunk: the states of its units.
 *
 * A unit is *used* (a slab's), *clean* (free, all zeros), *dirty* (free, and anything may stand in it), or *in hand* of who gives pages
 * back:
 *   free set, dirty clear: clean; free and dirty set: dirty; neither, and nobody was given it: in hand.
 *
 * Invariant: the two words, and the lists, are changed under bma__chunk_lock. Units come in hand there, their pages are given back with that
 * lock dropped, and they go back there: clean, or dirty as they were if the system refused. Meanwhile nobody can take them, so nobody's bytes are
 * thrown away. From the first to the last of it bma__advise_lock is held, which fork takes, too: in a child nothing is in hand.
 *
 * A chunk with a dirty unit is in one of its node's two lists: waiting, in the order in which their first unit became dirty, or held, see
 * purge.h. Who takes units takes dirty ones first, those that became so last before others: their pages are there, and may be in a
 * CPU's cache.
 */
#ifndef BMA_PAGE_UNITS_H
#define BMA_PAGE_UNITS_H

#include "chunk.h"

#define BMA__UNITS_ALL UINT32_MAX

struct bma__chunk_list {
	struct bma__chunk *first, *last;
};

struct bma__chunk {
	char *base; /* NULL: the descriptor is spare */
	uint32_t free;
	uint32_t dirty;
	uint32_t node;
	struct bma__chunk *next, *prev;	  /* in the node's list while some unit is free */
	struct bma__chunk_list *dirties;  /* which list of dirty ones it is in, or NULL */
	struct bma__chunk *older, *newer; /* there */
	uint64_t since;			  /* its first unit is dirty */
	_Atomic(struct bma__slab *) slab[BMA__CHUNK_UNITS];
};

/* Chunks of each node of which all units are free; more than one: the others are unmapped. */
extern uint32_t bma__chunk_empty[BMA__NODE_KINDS];

/* Units in a row; and the first aligned run of @units of them in @mask, or BMA__CHUNK_UNITS. */
uint32_t bma__chunk_run_mask(uint32_t units, uint32_t first);
uint32_t bma__chunk_find_run(uint32_t mask, uint32_t units);
/* How many times 2 MiB there are of a chunk. */
uint32_t bma__chunk_copies(const struct bma__chunk *c);
/* Take the free units @mask of @c out of the free ones, or put them back. [lock: chunk] */
void bma__chunk_take(struct bma__chunk *c, uint32_t mask);
void bma__chunk_put(struct bma__chunk *c, uint32_t mask);
/* Of a chunk of which all units are in hand: forget it, so that it can be unmapped; or know it again. [lock: chunk] */
void bma__chunk_hide(struct bma__chunk *c);
void bma__chunk_show(struct bma__chunk *c);
/* It was unmapped. [lock: chunk] */
void bma__chunk_gone(struct bma__chunk *c);

#endif /* BMA_PAGE_UNITS_H */
