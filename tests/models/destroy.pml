/* SPDX-License-Identifier: MIT */
/*
 * Destroy against the worker: bma__reclaim_engine() and reclaim_waiting() in src/cache/reclaim.c,
 * bma__engine_free() in src/cache/engine.c, bma__refill_service() in src/cache/refill.c; MO-11 and MO-17.
 *
 * Two services (the worker and a bma_poll()) pin the engine, open a ticket, look at "dying", and if it is not set
 * carve an object and bring it to the depot, and back. One thread destroys the engine until it succeeds; the
 * program has one object, which it gives back at some time.
 *
 * Properties: once destroy found that nothing is live, no service carves; the engine is not touched after it was
 * freed; it is freed with all objects at home.
 *
 * Abstractions. A wait for tickets returns when those that were open at its begin are closed, no more and no less:
 * ticket.pml. A magazine is one object. "dying" and the opening of a ticket are sequentially consistent, so no
 * store buffers. No limbo, no destructors: what waits there was freed, and limbo.pml says that it comes to the
 * depot.
 *
 * Twins: EARLY_LOOK looks at "dying" before the ticket is opened. NO_WAIT does not wait for tickets. NO_PINS frees
 * an engine that is pinned.
 */
#define OBJECTS 2
#define PASSES 2

bool dying, registered = true, freed;
bool gone; /* destroy has found that nothing is live */
byte home = OBJECTS - 1, depot, pins;
bool live = true;
bool open_[2], must[2];

proctype Service(bit i)
{
	byte k;
	bool dies, has;

	do
	:: k < PASSES ->
		k++;
		if
		:: d_step { registered -> pins++ }
		:: !registered -> break
		fi;
#ifdef EARLY_LOOK
		dies = dying;
#endif
		d_step { assert(!freed); open_[i] = true };
#ifndef EARLY_LOOK
		dies = dying;
#endif
		if
		:: !dies && home -> /* refill */
			d_step {
				assert(!freed && !gone);
				if
				:: home -> home--; has = true
				:: else -> skip
				fi };
			d_step { assert(!freed && !gone); depot = depot + has; has = false }
		:: !dies && depot -> /* too much */
			d_step {
				assert(!freed && !gone);
				if
				:: depot -> depot--; has = true
				:: else -> skip
				fi };
			d_step { assert(!freed && !gone); home = home + has; has = false }
		:: dies || !home && !depot -> skip
		fi;
		d_step { assert(!freed); open_[i] = false; must[i] = false; dies = false };
		d_step { assert(!freed); pins-- }
	:: else -> break
	od
}

active proctype Destroy()
{
	byte away;

	do
	:: true ->
		dying = true;
#ifndef NO_WAIT
		d_step { must[0] = open_[0]; must[1] = open_[1] };
		!must[0] && !must[1];
#endif
		do
		:: d_step { depot -> depot--; home++ }
		:: else -> break
		od;
		atomic { away = OBJECTS - home; gone = (away == 0) };
		if
		:: !away -> break
		:: else -> dying = false; away = 0
		fi
	od;
#ifndef NO_PINS
	atomic { !pins -> registered = false };
#else
	registered = false;
#endif
	d_step { assert(home == OBJECTS && !depot && !live); freed = true }
}

active proctype Program()
{
	d_step { live = false; depot++ }
}

init { atomic { run Service(0); run Service(1) } }
