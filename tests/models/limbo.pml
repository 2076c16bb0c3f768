/* SPDX-License-Identifier: MIT */
/*
 * Limbo and grace periods: free_ticketed() and run_round() in src/cache/limbo.c, take_batch() and run_batch() in
 * src/cache/defer.c, MO-13 and MO-21.
 *
 * Two calls on one CPU (cpu.pml) free objects: three in all, into magazines of two. The grace-period thread seals
 * what fills (a freeze flag of its own, fences, exchange, second look) and runs batches until nothing is left. A
 * reader enters, may find an object that is still linked, and leaves.
 *
 * Properties: nobody's object is reused while a reader holds it. Each object is reused once, and in the end all
 * are: none is lost or stranded. Where the thread looks, a limbo word that is not 0 is counted, and its bit is set;
 * the count is exact when no call is in progress.
 *
 * Abstractions. Where a slot is frozen the object is sealed in a magazine of its own, as if no guest slot were
 * free. The change compares no generation: limbo.h says that none is needed. Idle magazines and the sealed stack
 * are sets (depot.pml). The bits of "sealed": waker.pml. A fence that fails: drain.pml.
 *
 * Twins: LATE_TAKE takes the batch after the grace period began. NO_FREEZE, NO_FENCE_1, NO_FENCE_2, NO_LOOK as in
 * drain.pml. LATE_ANNOUNCE counts after the change.
 */
#include "cpu.pml"

#define OBJECTS 3
#define MAGS 3
#define W(m, n) (((m) << 2) | (n))
#define MAG(w) ((w) >> 2)
#define COUNT(w) ((w) & 3)
#define FULL 2

#define LINKED 0
#define FREED 1
#define REUSED 2

bool freeze, filling;
byte limbo_slots;
byte element[8]; /* of a magazine: two */
bool idle[MAGS + 1];
byte sealed[MAGS + 1], waiting[MAGS + 1]; /* objects */
byte state[OBJECTS];
byte ended;
bool reading, old_reader; /* in a section; in one that the grace period waits for */
byte holds = OBJECTS;	  /* what the reader has found */

inline announce()
{
	atomic { MAY -> WHEN(!old, limbo_slots++) };
	atomic { MAY -> WHEN(!old, filling = true) }
}

proctype Call(bit c; byte o; byte last)
{
	byte w, old, m;

next:
	atomic { MAY -> w = 0; old = 0;
		WHEN(m, idle[m] = true; m = 0);
		if
		:: o == last -> ended++; over = (ended == 2); now = 1 - c; goto done
		:: else -> state[o] = FREED
		fi };
hot:
	atomic { MAY -> seq[c] = INSIDE; old = 0; w = READ };
	if
	:: GONE -> goto hot
	:: GO && (!w || COUNT(w) == FULL) -> goto slow
	:: d_step { GO && w && COUNT(w) < FULL -> element[MAG(w) * 2 + COUNT(w)] = o }
	fi;
	if
	:: GONE -> goto hot
	:: d_step { GO -> store(w + 1); seq[c] = OUTSIDE; o++ }; goto next
	fi;

slow:
	atomic { MAY -> seq[c] = OUTSIDE;
		WHEN(!m, m = (idle[1] -> 1 : (idle[2] -> 2 : 3)); assert(idle[m]); idle[m] = false);
		element[m * 2] = o; w = 0 };
	if
	:: d_step { MAY && freeze -> sealed[m] = 1; m = 0; o++ }; goto next
	:: d_step { MAY && !freeze -> old = READ }
	fi;
	MAY_IF(!old || COUNT(old) == FULL, hot);
#ifndef LATE_ANNOUNCE
	announce();
#endif
	atomic { MAY -> WHEN(freeze, goto failed); seq[c] = INSIDE };
	GO_IF(READ == old, failed);
	if
	:: GONE -> goto failed
	:: d_step { GO -> store(W(m, 1)); seq[c] = OUTSIDE; m = 0; o++ }
	fi;
#ifdef LATE_ANNOUNCE
	announce();
#endif
	atomic { MAY -> WHEN(old, assert(!sealed[MAG(old)]); sealed[MAG(old)] = FULL) };
	goto next;
failed:
#ifndef LATE_ANNOUNCE
	atomic { MAY -> WHEN(!old, limbo_slots--) };
#endif
	goto hot;
done:
	skip
}

inline take_batch()
{
	d_step {
		waiting[1] = sealed[1]; waiting[2] = sealed[2]; waiting[3] = sealed[3];
		sealed[1] = 0; sealed[2] = 0; sealed[3] = 0
	}
}

/* Within one step. */
inline reuse(o_)
{
	assert(state[o_] == FREED);
	assert(!reading || holds != o_);
	state[o_] = REUSED
}

inline let_go(m_)
{
	WHEN(waiting[m_], reuse(element[m_ * 2]); idle[m_] = true);
	WHEN(waiting[m_] == FULL, reuse(element[m_ * 2 + 1]));
	waiting[m_] = 0;
	WHEN(idle[m_], element[m_ * 2] = 0; element[m_ * 2 + 1] = 0)
}

#define SEALED (sealed[1] || sealed[2] || sealed[3])

active proctype Thread()
{
	byte w;

look:
	assert(!word || limbo_slots && filling);
	assert(!over || buffered || limbo_slots == (word != 0));
	if
	:: filling -> goto seal
#ifdef LATE_TAKE
	:: goto batch /* it does not know yet if there is anything */
#endif
	:: SEALED -> goto batch
	:: ended == 2 && !filling && !SEALED -> goto finished
	fi;
seal:
	filling = false;
	WHEN(!limbo_slots, goto look);
	WHEN(!word, goto again);
#ifndef NO_FREEZE
	freeze = true;
#endif
	filling = (limbo_slots != 0);
#ifndef NO_FENCE_1
	fence();
#endif
try:
	atomic { w = word; word = 0 };
#ifndef NO_LOOK
	WHEN(!w, goto thaw);
#ifndef NO_FENCE_2
	fence();
#endif
	if :: word -> w = 0; goto try :: word -> w = 0 /* tried often enough */ :: !word fi;
#endif
thaw:
	freeze = false;
	WHEN(w, atomic { assert(!sealed[MAG(w)]); sealed[MAG(w)] = COUNT(w); w = 0 }; limbo_slots--);
	goto look;
again:
	filling = (limbo_slots != 0);
	goto look;
batch:
#ifdef LATE_TAKE
	old_reader = reading;
	take_batch();
#else
	take_batch();
	old_reader = reading;
#endif
	!old_reader;
	d_step { let_go(1); let_go(2); let_go(3) };
	goto look;
finished:
	assert(state[0] == REUSED && state[1] == REUSED && state[2] == REUSED)
}

active proctype Reader()
{
	reading = true;
	if
	:: d_step { state[0] == LINKED -> holds = 0 }
	:: d_step { state[2] == LINKED -> holds = 2 }
	:: true
	fi;
	d_step { reading = false; old_reader = false; holds = OBJECTS }
}

init { atomic { idle[1] = true; idle[2] = true; idle[3] = true; run Call(0, 0, 2); run Call(1, 2, 3) } }
