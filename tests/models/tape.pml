/* SPDX-License-Identifier: MIT */
/*
 * The tape of a slot: steps to a neighbour and changes at its ends (BMA__STEP_POP, BMA__STEP_PUSH and
 * bma__rseq_change() in src/base/rseq.h; extend_left() and extend_right() in src/cache/slot.c), against each other.
 * drain.pml includes it.
 *
 * Two calls on one CPU (cpu.pml) pop and push for ever.
 *
 * Properties: a magazine is in one place: the tape, a stack of the depot, one hand. Left of the loaded one all are
 * full, right of it all are empty, and a step and a hot call find what the word says.
 *
 * Abstractions. Three magazines of capacity 1, objects without names: a magazine is full or empty. The depot is two
 * sets (depot.pml looks inside). "Longer or in its place" is a free choice: length and limit are hints. A
 * generation is compared for equality only, so it is one flag for each call: is it the one that was read? Thus it
 * never wraps round. A change that fails gives its magazine back; the call begins anew. Nobody else looks, so there
 * is no store buffer.
 *
 * Twin: NO_GENERATION.
 */
#ifndef DRAIN
#define NOBODY_ELSE
#endif
#include "cpu.pml"

#define MAGS 3
#define W(m, n) (((m) << 1) | (n))
#define MAG(w) ((w) >> 1)
#define COUNT(w) ((w) & 1)

#define FULL 0 /* on the depot's stacks */
#define EMPTY 1
#define HAND 2
#define TAPE 3

bool freeze;
bool fresh[2];	 /* the generation is the one that this call read */
byte held = 3;	 /* objects that the program has */
byte prev[MAGS + 1], next[MAGS + 1], cnt[MAGS + 1], place[MAGS + 1];

/* Within one step: is the tape with @w loaded whole, and all there is of a tape? */
byte i_, n_;
inline check(w_)
{
	n_ = 1;
	assert(place[MAG(w_)] == TAPE && cnt[MAG(w_)] == COUNT(w_));
	i_ = prev[MAG(w_)];
	do
	:: i_ -> assert(place[i_] == TAPE && cnt[i_] == 1 && n_ < MAGS); n_++; i_ = prev[i_]
	:: else -> break
	od;
	i_ = next[MAG(w_)];
	do
	:: i_ -> assert(place[i_] == TAPE && cnt[i_] == 0 && n_ < MAGS); n_++; i_ = next[i_]
	:: else -> break
	od;
	assert(n_ == (place[1] == TAPE) + (place[2] == TAPE) + (place[3] == TAPE));
	n_ = 0
}

inline from_depot(kind)
{
	atomic { MAY ->
		if
		:: place[1] == kind -> m = 1
		:: place[2] == kind -> m = 2
		:: place[3] == kind -> m = 3
		:: place[1] != kind && place[2] != kind && place[3] != kind -> goto again
		fi;
		place[m] = HAND
	}
}

/* The neighbour to step to, and the one on the other side. */
#define LINK(m) (alloc -> prev[m] : next[m])
#define BACK(m) (alloc -> next[m] : prev[m])

proctype Call(bit c)
{
	byte w, old, other, m;
	bool alloc, grow, mine;

again:
	atomic { MAY ->
		w = 0; old = 0; other = 0; m = 0; grow = false;
		held = held + mine; mine = false;
		if
		:: alloc = true
		:: held -> alloc = false; held--; mine = true
		fi;
		seq[c] = INSIDE; w = READ }; /* Pop or push, with a step. */
	if
	:: GONE -> goto again
	:: GO && !w -> goto slow
	:: d_step { GO && w && COUNT(w) == alloc -> w = (alloc -> w - 1 : w + 1) }; goto commit
	:: d_step { GO && w && COUNT(w) != alloc -> other = LINK(MAG(w)) }
	fi;
	if
	:: GONE -> goto again
	:: GO && !other -> goto slow
	:: d_step { GO && other ->
		if :: alloc -> next[other] = MAG(w) :: else -> prev[other] = MAG(w) fi;
		w = W(other, !alloc) }
	fi;
commit:
	if
	:: GONE -> goto again
	:: d_step { GO ->
		assert(place[MAG(w)] == TAPE && cnt[MAG(w)] == alloc);
		cnt[MAG(w)] = !alloc; held = held + alloc; mine = false;
		store(w); seq[c] = OUTSIDE }; goto again
	fi;

slow:	/* Work out a change. */
	atomic { MAY -> seq[c] = OUTSIDE; WHEN(freeze, goto again) };
	d_step { MAY -> w = 0; other = 0; fresh[c] = true };
	d_step { MAY -> old = READ };
	MAY_IF(!old || COUNT(old) != alloc && !LINK(MAG(old)), again);
	if :: alloc -> from_depot(FULL) :: !alloc -> from_depot(EMPTY) fi;
	d_step { MAY -> other = (old -> BACK(MAG(old)) : 0) };
	atomic { MAY -> if :: grow = true :: old -> grow = false fi;
		w = (grow -> MAG(old) : other);
		prev[m] = (alloc -> 0 : w);
		next[m] = (alloc -> w : 0); w = 0; other = 0 };
	/* Do it. */
	atomic { MAY -> WHEN(freeze, goto failed); seq[c] = INSIDE };
#ifndef NO_GENERATION
	GO_IF(fresh[c], failed);
#endif
	GO_IF(READ == old, failed);
	d_step { MAY -> WHEN(seq[c] == INSIDE, fresh[0] = false; fresh[1] = false) };
	if
	:: GONE -> goto failed
	:: d_step { GO ->
		assert(cnt[m] == alloc);
		cnt[m] = !alloc; held = held + alloc; mine = false;
		place[m] = TAPE;
		WHEN(!grow, place[MAG(old)] = HAND);
		store(W(m, !alloc)); check(W(m, !alloc)); seq[c] = OUTSIDE }
	fi;
	atomic { MAY -> WHEN(!grow, assert(cnt[MAG(old)] != alloc && place[MAG(old)] == HAND);
		prev[MAG(old)] = 0; next[MAG(old)] = 0; place[MAG(old)] = (alloc -> EMPTY : FULL)) };
	goto again;
failed:
	atomic { MAY -> seq[c] = OUTSIDE; prev[m] = 0; next[m] = 0; place[m] = (alloc -> FULL : EMPTY) };
	goto again
}

init {
	atomic {
		place[1] = FULL; cnt[1] = 1; place[2] = EMPTY; place[3] = EMPTY;
		run Call(0);
#ifndef DRAIN
		run Call(1)
#endif
	}
}
