/* SPDX-License-Identifier: MIT */
/*
 * Slots: the per-CPU place of an engine, and the slow halves of alloc and free.
 *
 * The tape. A slot holds magazines side by side, linked by prev and next in their headers; the word
 * "loaded" points into one of them. All to its left (prev) are full, all to its right (next) are empty:
 *
 *	full <- full <- LOADED -> empty -> empty
 *
 * A pop that finds the loaded one empty steps left, a push that finds it full steps right: again one store
 * to the one word, within one sequence (BMA__STEP_POP, BMA__STEP_PUSH), which also sets the link by which
 * one comes back. So a slot of many magazines changes by one commit, nothing is in anybody's hand meanwhile,
 * and the capacity of a slot is the length of its tape.
 *
 * Only at an end of the tape something else happens: a pop at the left end brings a full magazine from the
 * depot, a push at the right end an empty one. The new one is linked in front of the loaded one (the tape
 * grows), or in its place if the tape is as long as it may be; then the loaded one is in hand and goes to the
 * depot. That is one bma__rseq_change() of the word, under the slot's generation.
 *
 * Invariant: a magazine is in exactly one place: one tape, a depot's stack, the idle ones of its class, a
 * sealed stack, or the hand of one thread. Left of loaded all are full, right of it all are empty.
 * Why a generation: the change is worked out before its sequence, from the word and a link; a handler may
 * move magazines through the depot and come back to the same word. Every change counts, so then it fails.
 * Steps need no generation: they read what they use inside their sequence.
 *
 * How long a tape may be is the slot's limit, which is charged to the process's budget (budget.h): 0 in a slot that nobody
 * used, or that was drained. It gets a first one, by default of two magazines, when it is to hold something, and twice as much
 * each time full magazines went to the depot and come back, up to 4 MiB of objects. Where the budget refuses the first one the
 * slot holds nothing.
 *
 * Everything in a slot of an index is changed by restartable sequences only, but for the limit; a guest slot by whoever
 * holds its owner word. length and put_last are hints: a lost update costs a magazine's way to the depot and back.
 *
 * Freeze: a remote drain sets freeze and fences; from then on no change commits here (it is tested inside),
 * and whoever finds it set uses the depot instead. Never waits: the drainer may be the very thread that was
 * interrupted.
 */
#ifndef BMA_CACHE_SLOT_H
#define BMA_CACHE_SLOT_H

#include "engine.h"
#include "ticket.h"

struct bma__slot {
	_Atomic uintptr_t loaded __attribute__((aligned(BMA_CACHELINE)));
	_Atomic uintptr_t limbo;  /* magazine that fills with deferred frees, see limbo.h */
	_Atomic uint32_t freeze;  /* no change of the tape */
	_Atomic uint32_t gen;	  /* changes of either word */
	_Atomic uint16_t length;  /* magazines on the tape */
	_Atomic uint8_t put_last; /* the last full magazine between here and the depot went there */
	_Atomic uint8_t refused;  /* the budget refused, and has not granted since */
	_Atomic uint32_t opened[2], closed[2]; /* tickets, see ticket.h */
	_Atomic uint32_t limit;	 /* magazines on the tape at most, and a generation; see budget.h */
	_Atomic uintptr_t owner; /* guest slots: thread that works here, 0: nobody */
	/* No change of limbo. Of guest slots, which have an owner for that: the last child of fork counted it (limbo.c). */
	_Atomic uint32_t freeze_limbo;
	_Atomic uint32_t mark; /* what it looked like to who looks for idle ones, see idle.h */
};

_Static_assert(sizeof(struct bma__slot) == BMA_CACHELINE, "a slot is a cache line");
_Static_assert(offsetof(struct bma__slot, loaded) == BMA__SLOT_LOADED, "frozen");
_Static_assert(offsetof(struct bma__slot, limbo) == BMA__SLOT_LIMBO, "frozen");
_Static_assert(offsetof(struct bma__slot, gen) == BMA__RSEQ_GEN, "known to assembly");

static inline struct bma__slot *bma__slot_at(const struct bma__engine *e, uint32_t plane)
{
	return (struct bma__slot *)(e->head.slots + ((uintptr_t)plane << BMA__SLOT_SHIFT));
}

/* An object, or NULL if slot and depot are empty. Any context. */
void *bma__slot_alloc(struct bma__engine *e);
/* The same, but the depots of other nodes than the caller's are left alone. Any context. */
void *bma__slot_alloc_near(struct bma__engine *e);
/* Give an object back. Any context. */
void bma__slot_free(struct bma__engine *e, void *obj);
/* Take one object out of a magazine in hand and put the magazine where it serves next. Any context. */
void *bma__slot_alloc_from(struct bma__engine *e, uintptr_t word);
/* Most objects that the slot of @plane keeps, or is to keep when it is used again. */
uint64_t bma__slot_high(const struct bma__engine *e, uint32_t plane);
/* Objects on the tape of a slot: a snapshot, right when nobody changes it. */
uint64_t bma__slot_count(const struct bma__engine *e, uint32_t plane);

#endif /* BMA_CACHE_SLOT_H */
