/* SPDX-License-Identifier: MIT */
/*
 * The budget: bytes of objects that all slots of the process may hold.
 *
 * Each slot has a limit: the magazines that its tape may have. It costs limit x capacity x bytes of an object with its
 * copies, which are charged here before the limit is raised and given back after it was lowered. A slot of limit 0 costs
 * nothing and holds nothing: its calls go to the depot.
 *
 * Invariants.
 *  1. used <= the budget, at any moment: a charge is a compare-and-exchange to a sum that was compared with it.
 *  2. used >= the sum of what all limits cost, at any moment, and equal when no call is between the two words.
 *  3. A slot by index that holds a magazine has a limit other than 0. A call makes sure of a limit after it has read the
 *     generation of the slot and before it changes the tape under that generation; a drain takes the limit away
 *     before it raises the generation, with the tape frozen and empty (drain.h). So what was worked out before it fails.
 *
 * In any context, at any instruction: two words change, one after the other, and what a handler does between the two is
 * complete in itself. A change of the limit that is lost to another gives back its own charge, no more.
 *
 * Fork: both words have the generation of the process (ticket.h) in their low bits. The child counts anew from the limits
 * and puts its generation into all of them. A call that a handler's fork interrupted between the two words
 * then fails to change the limit, and what it gives back is of an older generation and not taken off; a drain's likewise.
 *
 * Ordering: both words are relaxed, for they hand over nothing; 1 and 2 are of one word's order of modification, and of one
 * thread's own order. What 3 needs is the generation's: read with acquire, raised with release (MO-42).
 */
#ifndef BMA_CACHE_BUDGET_H
#define BMA_CACHE_BUDGET_H

#include "engine.h"

struct bma__slot;

#define BMA__BUDGET_GENERATION_BITS 4

/* Bytes above bits of generation, and whether somebody was refused. For tests, which put them back. */
extern _Atomic uint64_t bma__budget_word;
extern _Atomic bool bma__budget_missed;

/* From BMA_CONF, or what memory there is; before the first slot is used. */
void bma__budget_init(void);
/* Bytes: all, and what limits cost now. Any context. */
uint64_t bma__budget_total(void);
uint64_t bma__budget_used(void);

/* Magazines on the tape of @s at most; 0: it has yet to be charged. Any context. */
uint32_t bma__budget_limit(const struct bma__slot *s);
/* Has @s a limit, or gets its first one now? False: it is to hold nothing. Any context. */
bool bma__budget_open(struct bma__engine *e, struct bma__slot *s);
/* Twice the limit of @s, up to the engine's longest. Returns whether it rose. Any context. */
bool bma__budget_grow(struct bma__engine *e, struct bma__slot *s);
/* The limit of @s is 0. By who has its tape frozen, or owns it, and has taken what it held. Returns whether it was not. */
bool bma__budget_close(struct bma__engine *e, struct bma__slot *s);

/* Was somebody refused since this was asked last? */
bool bma__budget_wanted(void);

/* In a child of fork, around one call for each slot: count anew. Who charges meanwhile, a handler, is refused. */
void bma__budget_fork_begin(void);
void bma__budget_fork_slot(struct bma__engine *e, struct bma__slot *s);
void bma__budget_fork_end(void);

#endif /* BMA_CACHE_BUDGET_H */
