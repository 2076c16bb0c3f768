/* SPDX-License-Identifier: MIT */
/*
 * Slots: the per-CPU place of an engine, and the slow halves of alloc and free.
 *
 * Words of a slot:
 *   loaded  magazine that the hot calls push to and pop from
 *   limbo   magazine of objects that wait for a grace period
 *   full    local stack of magazines with elements, linked as in the depot: {tag, index}
 *   empty   local stack of empty ones
 * Everything in a slot of an index is changed by restartable sequences only, one store each; a
 * guest slot by whoever holds its owner word.
 *
 * Invariant: a magazine is in exactly one place: a word or local stack of one slot, a depot's
 * stack, the idle ones of its class, a sealed stack, or in the hand of one thread. A thread takes
 * one out by a sequence that commits only if the word is still what it saw; from then on it is in
 * hand, wherever the thread is moved; it goes back into whichever slot the thread finds itself on,
 * or into the depot. No step needs two words to change together. ABA: loaded cannot return to a
 * value seen within one sequence (whoever changes it in between aborts the sequence); the local
 * stacks carry a tag, because there the value is read before the sequence. loaded is read before it
 * too: a value that came back meanwhile means the same magazine with the same count, and it is
 * taken out whole, so nothing else about it matters.
 *
 * Freeze: a remote drain sets freeze and fences; from then on no sequence of the slow half commits
 * here (they test it inside), and whoever finds it set uses the depot instead. Never waits: the
 * drainer may be the very thread that was interrupted.
 */
#ifndef BMA_CACHE_SLOT_H
#define BMA_CACHE_SLOT_H

#include "engine.h"
#include "ticket.h"

struct bma__slot {
	_Atomic uintptr_t loaded;
	_Atomic uintptr_t limbo;
	_Atomic uint64_t full;
	_Atomic uint64_t empty;
	_Atomic uint32_t freeze;
	_Atomic uint16_t
		depth; /* most magazines on each local stack; 0: the engine's initial value */
	_Atomic uint16_t put_last; /* the last full magazine that went between here and the depot
				      went there */
	_Atomic uint32_t opened[2], closed[2]; /* tickets, see ticket.h */
	_Atomic uintptr_t owner;	       /* guest slots: thread that works here, 0: nobody */
};

_Static_assert(sizeof(struct bma__slot) == BMA_CACHELINE, "a slot is a cache line");
_Static_assert(offsetof(struct bma__slot, loaded) == BMA__SLOT_LOADED, "frozen");
_Static_assert(offsetof(struct bma__slot, limbo) == BMA__SLOT_LIMBO, "frozen");

static inline struct bma__slot *bma__slot_at(const struct bma__engine *e, uint32_t plane)
{
	return (struct bma__slot *)(e->head.slots + ((uintptr_t)plane << BMA__SLOT_SHIFT));
}

/* An object, or NULL if slot and depot are empty. Any context. */
void *bma__slot_alloc(struct bma__engine *e);
/* Give an object back. Any context. */
void bma__slot_free(struct bma__engine *e, void *obj);
/* Take one object out of a magazine in hand and put the magazine where it serves next. Any context.
 */
void *bma__slot_alloc_from(struct bma__engine *e, uintptr_t word);
/* Most objects that the slot of @plane keeps. */
uint64_t bma__slot_high(const struct bma__engine *e, uint32_t plane);

#endif /* BMA_CACHE_SLOT_H */
