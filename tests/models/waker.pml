/* SPDX-License-Identifier: MIT */
/*
 * Waking: src/base/waker.h, src/cache/need.h, bma__worker_kick() and worker_main() in src/cache/worker.c, MO-6.
 *
 * Two threads publish something for one engine, set its need bit and ask the waker. One of them may stop for ever
 * at any point. The worker clears its word, takes the bit, serves, and goes to sleep, with no timeout.
 *
 * Property: when nothing moves any more, whatever was published by a call that returned has been served: no lost
 * wake-up, and an asker that is stopped hides no later one, though an earlier one may be late.
 *
 * What is published is a plain store, which sits in its thread's store buffer until a fence, an RMW, or by itself.
 * The waker's word and the need bit are changed by RMWs only.
 *
 * Abstractions. One engine, one bit. The futex compares and sleeps in one step, as the kernel does. The worker's
 * fences stand after RMWs, which empty a store buffer as well: they are for machines where an RMW does not order a
 * later load, and this does not show them. The same holds for the fence of bma__waker_ask() after the RMW on the
 * bit. The count of sleeps has four bits.
 *
 * Twins: NO_LOOK goes to sleep whatever was asked meanwhile. LOOK_LATE clears the word after it looked for work.
 * NO_WAKING changes ASLEEP to ASKED before it wakes. NO_NEED_FENCE looks at the bit
 * without a fence before. NO_COUNT lets a late exchange from WAKING meet that of a later sleep.
 */
#define IDLE 0
#define ASKED 1
#define ASLEEP 2
#define WAKING 3

#define STATE(w) ((w) & 3)
#define WITH(w, state) (((w) & 60) | (state))
#ifdef NO_COUNT
#define SLEPT(w) (w)
#else
#define SLEPT(w) (((w) + 4) & 63)
#endif

/* The one that does not stop asks twice. */
#define CALLS 2

byte word;
bool need, sleeping;
bool work[2], buffer[2]; /* published; still in the store buffer */
bool returned[2];

inline flush(i) { if :: buffer[i] -> buffer[i] = false; work[i] = true :: else -> skip fi }

/* A point where thread 0 may stop for ever. */
inline may_stop() { if :: true :: i == 0 -> goto stopped fi }

proctype Asker(bit i)
{
	byte seen, calls;
	bool set;

	do
	:: calls < CALLS ->
		calls++;
		d_step { returned[i] = false; buffer[i] = true };
		/* bma__need_set() */
#ifndef NO_NEED_FENCE
		d_step { flush(i) };
#endif
		set = need;
		may_stop();
		if
		:: !set -> d_step { flush(i); need = true }
		:: set -> skip
		fi;
		may_stop();
		/* bma__waker_ask() */
		d_step { flush(i); seen = word };
		do
		:: STATE(seen) == IDLE || STATE(seen) == ASLEEP ->
			d_step {
				if
				:: word == seen ->
#ifdef NO_WAKING
					word = WITH(seen, ASKED);
					seen = WITH(seen, (STATE(seen) == ASLEEP -> WAKING : ASKED))
#else
					seen = WITH(seen, (STATE(seen) == IDLE -> ASKED : WAKING));
					word = seen
#endif
				:: else -> seen = word
				fi }
		:: else -> break
		od;
		may_stop();
		if
		:: STATE(seen) == WAKING ->
			sleeping = false;
			may_stop();
			d_step {
				if
				:: word == seen -> word = WITH(word, ASKED)
				:: else -> skip
				fi }
		:: else -> skip
		fi;
		d_step { returned[i] = true; seen = 0; set = false }
	:: else -> break
	od;
stopped:
	skip
}

proctype Buffer(bit i)
{
end:	do
	:: d_step { buffer[i] -> flush(i) }
	od
}

inline serve()
{
	if
	:: d_step { need -> need = false };
		work[0] = false;
		work[1] = false
	:: else -> skip
	fi
}

active proctype Worker()
{
	bool sleeps;

	do
	:: true ->
#ifdef LOOK_LATE
		serve();
		word = WITH(word, IDLE);
#else
		word = WITH(word, IDLE);
		serve();
#endif
		d_step {
			if
#ifdef NO_LOOK
			:: true -> word = WITH(SLEPT(word), ASLEEP); sleeps = true
#else
			:: STATE(word) == IDLE -> word = WITH(SLEPT(word), ASLEEP); sleeps = true
			:: else -> skip
#endif
			fi };
		if
		:: sleeps ->
			d_step { sleeping = (STATE(word) == ASLEEP) };
end:			d_step { !sleeping -> sleeps = false }
		:: else -> skip
		fi
	od
}

active proctype Later()
{
	timeout -> assert(!(returned[0] && work[0]) && !(returned[1] && work[1]))
}

init { atomic { run Asker(0); run Asker(1); run Buffer(0); run Buffer(1) } }
