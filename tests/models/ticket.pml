/* SPDX-License-Identifier: MIT */
/*
 * Tickets: src/cache/ticket.c, MO-7.
 *
 * Calls open a ticket in the phase that they read some time before, in any slot, and close it where they opened it.
 * A thread may stop for ever at any point. Somebody waits twice, one wait after the other, as under the drain lock.
 *
 * Properties: when a wait returns, each ticket that was open when it began is closed. With LIVE: a wait returns,
 * though others open tickets for ever, also where a thread has stopped between reading the phase and counting.
 *
 * Abstractions. Two slots. Counters do not wrap round: there are few tickets; with LIVE there are many, counted
 * modulo 4 and summed up in one step, for what it shows does not depend on when each counter is read. Opening and
 * closing are atomic RMWs, and a fence stands between the waiter's two sums, so no store buffers. No deadline: a
 * wait that ran out of time returned false and promises nothing. Generations matter in a child of fork only: not
 * here.
 *
 * Twins: ONE_PAIR of counters, where a wait looks how many are opened and waits until as many are closed; with
 * LIVE, until the sums meet, which need not be while others open. OPENED_FIRST sums up the opened ones before the
 * closed ones.
 */
#ifdef LIVE
#define CALLS 2
#define MORE true
#define COUNTED(n) n = (n + 1) & 3
#define MEET(o, c) (((o) & 3) == ((c) & 3))
#else
#define CALLS 3
#define TICKETS 1
#define MORE (k < TICKETS)
#define COUNTED(n) n++
#define MEET(o, c) ((o) == (c))
#endif

byte opened[4], closed[4]; /* phase * 2 + slot */
bit phase;
bool open_[CALLS], must[CALLS];
byte returned; /* waits */

proctype Call(byte i)
{
	byte k, at;

	do
	:: MORE ->
#ifndef LIVE
		k++;
#endif
#ifdef ONE_PAIR
		at = 0;
#else
		at = phase * 2;
#endif
		if
		:: skip
		:: at++ /* the other slot */
		:: break /* stops: it has taken nothing yet */
		fi;
		d_step { COUNTED(opened[at]); open_[i] = true };
#ifndef LIVE
		if
		:: skip
		:: break /* stops with a magazine in hand */
		fi;
#endif
		d_step { COUNTED(closed[at]); open_[i] = false; must[i] = false; at = 0 }
	:: !(MORE) -> break
	od
}


inline sum_closed(p_) { c = closed[(p_) * 2]; c = c + closed[(p_) * 2 + 1] }
inline sum_opened(p_) { o = opened[(p_) * 2]; o = o + opened[(p_) * 2 + 1] }

inline wait_phase(q_)
{
	do
	:: true ->
#ifdef LIVE
		d_step { sum_closed(q_); sum_opened(q_) };
#else
#ifdef OPENED_FIRST
		sum_opened(q_); sum_closed(q_);
#else
		sum_closed(q_); sum_opened(q_);
#endif
#endif
		if
		:: MEET(o, c) -> break
		:: else -> skip
		fi
	od;
	c = 0; o = 0
}

active proctype Wait()
{
	byte c, o, i;
	bit p;

	do
	:: returned < 2 ->
		d_step {
			i = 0;
			do
			:: i < CALLS -> must[i] = open_[i]; i++
			:: else -> break
			od;
			i = 0
		};
#ifdef ONE_PAIR
#ifdef LIVE
		wait_phase(0);
#else
		sum_opened(0);
		do
		:: true ->
			sum_closed(0);
			if
			:: c >= o -> break
			:: else -> skip
			fi
		od;
#endif
#else
		p = phase;
		wait_phase(1 - p);
		phase = 1 - p;
		wait_phase(p);
#endif
		atomic {
			do
			:: i < CALLS -> assert(!must[i]); i++
			:: else -> break
			od;
			i = 0
		};
		returned++
	:: else -> break
	od
}

init {
	atomic {
		run Call(0); run Call(1);
#if CALLS == 3
		run Call(2)
#endif
	}
}

#ifdef LIVE
ltl returns { <> (returned == 2) }
#endif
