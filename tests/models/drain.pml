/* SPDX-License-Identifier: MIT */
/*
 * The remote drain (src/cache/drain.c, MO-8) against the calls of tape.pml, which is included.
 *
 * One call on the CPU, which others interrupt at any time; another CPU drains the slot again and again. A second
 * fence may fail; then the word goes back.
 *
 * Properties: those of tape.pml. What the drain takes is the whole tape, and nobody's but the drain's.
 *
 * Abstractions. As in tape.pml. One call: what two do to each other is there. The first fence does not fail: then
 * nothing is touched. Another use of the CPU is a time in which the call does not go on.
 *
 * A batch of slots. Each has its own word, freeze and tape, and sees the steps that are here, in this order; the batch shares the
 * fences alone. More of them than its own a slot may see when others are looked at again: between its look and its take, which are
 * two steps here, with any steps of others in between, and a fence there changes nothing, for no call that may still commit is left. One that
 * failed there concerns the others.
 *
 * Fence 1, between freeze and exchange, is not needed for these properties, for the generation shows what fence 2
 * left over; without generations it is: NO_FENCE_1 of limbo.pml.
 *
 * Twins: NO_FREEZE, NO_LOOK (the tape is taken right after the exchange), NO_FENCE_2 (between exchange and second
 * look).
 */
#define DRAIN
#include "tape.pml"

/* Within one step: all of the tape to the depot; nobody may see it any more. */
inline take(w_)
{
	check(w_);
	i_ = 1;
	do
	:: i_ <= MAGS -> WHEN(place[i_] == TAPE, prev[i_] = 0; next[i_] = 0; place[i_] = (cnt[i_] -> FULL : EMPTY));
		i_++
	:: else -> break
	od;
	i_ = 0
}

active proctype Drain()
{
	byte w;

begin:
#ifndef NO_FREEZE
	freeze = true;
#endif
	fence();
again:
	atomic { w = word; word = 0 };
	WHEN(!w, goto done);
#ifndef NO_LOOK
	if
#ifdef NO_FENCE_2
	:: skip
#else
	:: fence()
#endif
	:: atomic { true -> WHEN(!word, word = w) }; goto done /* the fence failed */
	fi;
	if :: word -> goto again :: word -> goto done /* tried often enough */ :: !word fi;
#endif
	atomic { take(w) };
done:
	atomic { w = 0; fresh[0] = false; fresh[1] = false };
	freeze = false;
	goto begin
}
