/* SPDX-License-Identifier: MIT */
/*
 * Pop and push on a slot word: BMA__POP and BMA__PUSH in include/bma/inline/, the invariant of fastpath.h.
 *
 * Two threads, two CPUs, a slot on each, two objects. Everybody pops, then pushes what he got, for ever. Both
 * threads may be preempted, one may be moved, and a handler may come to the other one, before any instruction, any
 * number of times. Each of these aborts the sequence that it interrupts, which then begins anew.
 *
 * Property: each object is in one slot once, or in the depot, or in one hand.
 *
 * Abstractions. A word is the number of elements of the slot's only magazine: the test of the mask is a comparison
 * with 0 or the capacity. The slow half takes from a depot, or gives to it, in one step: depot.pml and tape.pml
 * look inside. The index is read with the descriptor: an abort between the two ends the sequence as one after them.
 * No store buffers: one CPU's slot is used by that CPU alone, in program order (MO-9).
 *
 * Twins: NO_ABORT goes on after it was interrupted. WORD_FIRST stores the word of a push before the element.
 */
#define OBJECTS 2
#define CAPACITY 2
#define NOBODY 255

byte word[2];
byte element[4]; /* of a slot: two, one after the other */
bool depot[OBJECTS];
byte owner[OBJECTS]; /* 0: nobody; else frame + 1 */
byte cpu[2];
byte current[2]; /* the thread that runs on a CPU */
bool handles[2]; /* a thread is in its handler */
#define OUTSIDE 0
#define INSIDE 1 /* a sequence */
#define ABORTED 2
byte seq[4]; /* by frame: 0 and 1 are the threads, 2 and 3 their handlers */

#define THREAD(f) ((f) & 1)
#define ON_CPU(t) (current[cpu[t]] == (t))
#define MAY(f) (ON_CPU(THREAD(f)) && ((f) >= 2 || !handles[f]))
#ifdef NO_ABORT
#define GO(f) MAY(f)
#define GONE(f) false
#else
#define GO(f) (MAY(f) && seq[f] != ABORTED)
#define GONE(f) (MAY(f) && seq[f] == ABORTED)
#endif
inline abort(f_) { if :: seq[f_] -> seq[f_] = ABORTED :: else fi }
#define AT(c, n) element[(c) * CAPACITY + (n) - 1]

/* Within one step. */
byte i_, n_;
inline check()
{
	i_ = 0;
	do
	:: i_ < OBJECTS ->
		n_ = (owner[i_] != 0) + depot[i_];
		n_ = n_ + (word[0] >= 1 && AT(0, 1) == i_) + (word[0] >= 2 && AT(0, 2) == i_);
		n_ = n_ + (word[1] >= 1 && AT(1, 1) == i_) + (word[1] >= 2 && AT(1, 2) == i_);
		assert(n_ == 1);
		i_++
	:: else -> break
	od;
	i_ = 0; n_ = 0
}

inline take_from_depot(f)
{
	o = 0;
	do
	:: o < OBJECTS && !depot[o] -> o++
	:: else -> break
	od;
	if
	:: o < OBJECTS -> depot[o] = false; owner[o] = f + 1
	:: else -> o = NOBODY
	fi
}

proctype Frame(byte f)
{
	byte c, w, o = NOBODY;

begin:
	if
	:: f < 2 -> skip
	:: d_step { f >= 2 && ON_CPU(THREAD(f)) && !handles[THREAD(f)] ->
		handles[THREAD(f)] = true; abort(THREAD(f)) }
	fi;
pop:
	atomic { MAY(f) -> seq[f] = INSIDE; c = cpu[THREAD(f)]; w = 0; o = NOBODY };
	if
	:: d_step { GO(f) -> w = word[c] }
	:: GONE(f) -> goto pop
	fi;
	if
	:: d_step { GO(f) && w == 0 -> take_from_depot(f); check() }; goto push
	:: d_step { GO(f) && w > 0 -> o = AT(c, w) }
	:: GONE(f) -> goto pop
	fi;
	if
	:: d_step { GO(f) -> assert(o != NOBODY); assert(owner[o] == 0); owner[o] = f + 1;
		word[c] = w - 1; AT(c, w) = NOBODY; check() }
	:: GONE(f) -> goto pop
	fi;
push:
	atomic { MAY(f) -> seq[f] = INSIDE; c = cpu[THREAD(f)]; w = 0 };
	if
	:: o == NOBODY -> goto done
	:: d_step { o != NOBODY && GO(f) -> w = word[c] + 1 }
	:: o != NOBODY && GONE(f) -> goto push
	fi;
	if
	:: d_step { GO(f) && w > CAPACITY ->
		depot[o] = true; owner[o] = 0; check() }; goto done
#ifdef WORD_FIRST
	:: d_step { GO(f) && w <= CAPACITY -> word[c] = w }
#else
	:: d_step { GO(f) && w <= CAPACITY -> AT(c, w) = o }
#endif
	:: GONE(f) -> goto push
	fi;
	if
#ifdef WORD_FIRST
	:: d_step { GO(f) -> AT(c, w) = o; owner[o] = 0; check() }
#else
	:: d_step { GO(f) -> word[c] = w; assert(owner[o] == f + 1); owner[o] = 0; check() }
#endif
	:: GONE(f) -> goto push
	fi;
done:
	atomic { MAY(f) -> c = 0; w = 0; o = NOBODY; seq[f] = OUTSIDE;
		if
		:: f >= 2 -> handles[THREAD(f)] = false
		:: else -> skip
		fi };
	goto begin
}

/* What the kernel does with a thread: it comes back, or the other one of its CPU runs; or it is moved. */
proctype Schedule(byte t)
{
	do
	:: d_step { ON_CPU(t) -> abort(t); abort(t + 2);
		if
		:: cpu[1 - t] == cpu[t] -> current[cpu[t]] = 1 - t
		:: else -> skip
		fi }
	:: d_step { t == 1 -> abort(t); abort(t + 2); /* one that moves suffices */
		if
		:: ON_CPU(t) -> current[cpu[t]] = (cpu[1 - t] == cpu[t] -> 1 - t : NOBODY)
		:: else -> skip
		fi;
		cpu[t] = 1 - cpu[t];
		if
		:: current[cpu[t]] == NOBODY -> current[cpu[t]] = t
		:: else -> skip
		fi }
	od
}

init {
	atomic {
		AT(0, 1) = 0; AT(0, 2) = NOBODY; AT(1, 1) = 1; AT(1, 2) = NOBODY;
		word[0] = 1; word[1] = 1;
		cpu[1] = 1; current[1] = 1;
		run Frame(0); run Frame(1); run Frame(2);
		run Schedule(0); run Schedule(1)
	}
}
