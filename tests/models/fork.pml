/* SPDX-License-Identifier: MIT */
/*
 * Fork: prepare(), parent() and child() in src/api/fork.c, bma__flavor_before_fork() in src/cache/flavor.c.
 *
 * Two threads fork, against a worker (refills, drains, gives up slabs), a grace-period thread (batches) and a
 * program that allocates and frees by free_rcu. Each lock of the ones below stands for its rank. The child's view
 * is what is there when all locks are taken.
 *
 * Properties: the child finds each structure whole: what is out of the slabs is counted so, a slab is on one list.
 * Whatever no call had in hand is where the child finds it: in the depot, sealed, or in the batch that it takes
 * back. What only the worker had in hand is counted as live. If the prepare handler holds the batch, no thread is
 * in synchronize_rcu. The parent goes on: nobody waits for ever.
 *
 * Abstractions. Objects are counted; a magazine is one object. Of the locks below REGISTRY, those that no structure
 * here needs are left out. The handler's patience may end at any time, or at once. Locks that the forking thread
 * holds itself: none.
 *
 * Twins: NO_ENGINE_LOCK and NO_PURGE_LOCK do not take that lock; NO_RANK takes purge before engine; NO_FORK_LOCK
 * lets two threads prepare at the same time.
 */
#define OBJECTS 3
#define SLABS 2
#define ROUNDS 2

#define FORK 0
#define REGISTRY 1
#define ENGINE 2
#define PURGE 3
bool lock[4];

bool in_period, in_synchronize;
bool fork_holds;
byte taken; /* bits of locks; as in the source, state of one fork */
/* Under the engine's lock: objects in slabs, and out of them; slabs. */
byte slab = OBJECTS, out, slabs = SLABS;
byte dying;		       /* slabs. [lock: purge] */
byte depot, sealed, waiting;   /* objects. waiting: [lock: purge] */
byte live, in_hand;	       /* the program's; the worker's */

inline take(l) { d_step { !lock[l] -> lock[l] = true } }
inline drop(l) { lock[l] = false }

active proctype Worker()
{
	byte k;

	do
	:: k < ROUNDS ->
		k++;
		if
		:: slab -> /* bma__refill_magazine() */
			take(ENGINE);
			if
			:: slab -> slab--; d_step { out++; in_hand++ }
			:: else -> skip
			fi;
			drop(ENGINE);
			d_step { depot = depot + in_hand; in_hand = 0 }
		:: d_step { depot -> depot--; in_hand++ }; /* bma__drain_magazine() */
			take(ENGINE);
			slab++;
			d_step { out--; in_hand-- };
			drop(ENGINE)
		:: slabs -> /* bma__engine_shrink() */
			take(ENGINE);
			slabs--;
			take(PURGE);
			dying++;
			drop(PURGE);
			drop(ENGINE)
		:: true
		fi
	:: else -> break
	od
}

active proctype Thread()
{
	byte k, head;

	do
	:: k < ROUNDS ->
		k++;
		if
		:: d_step { !in_period -> in_period = true }
		:: in_period -> goto next
		fi;
		take(PURGE); /* take_batch() */
		d_step { head = sealed; sealed = 0 };
		d_step { waiting = head; head = 0 };
		drop(PURGE);
		if
		:: waiting ->
			in_synchronize = true;
			in_synchronize = false;
			take(PURGE); /* release_magazines() */
			do
			:: d_step { waiting -> waiting--; head++ }
			:: else -> break
			od;
			atomic { depot = depot + head; head = 0 };
			drop(PURGE)
		:: else -> skip
		fi;
		in_period = false;
next:
		skip
	:: else -> break
	od
}

active proctype Program()
{
	byte k;

	do
	:: k < ROUNDS ->
		k++;
		if
		:: d_step { depot -> depot--; live++ }
		:: true
		fi;
		if
		:: d_step { live -> live--; sealed++ }
		:: true
		fi
	:: else -> break
	od
}

inline fork_take(l) { take(l); taken = taken | (1 << l) }
inline fork_drop(l) { if :: taken & (1 << l) -> drop(l) :: else -> skip fi }

proctype Forker()
{
#ifndef NO_FORK_LOCK
	take(FORK);
#endif
	if
	:: d_step { !in_period -> in_period = true; fork_holds = true }
	:: fork_holds = false /* patience is over */
	fi;
	taken = 0;
	fork_take(REGISTRY);
#ifdef NO_RANK
	fork_take(PURGE);
#endif
#ifndef NO_ENGINE_LOCK
	fork_take(ENGINE);
#endif
#if !defined(NO_RANK) && !defined(NO_PURGE_LOCK)
	fork_take(PURGE);
#endif
	d_step { /* fork(): the child */
		assert(slab + out == OBJECTS);
		assert(slabs + dying == SLABS);
		assert(out == depot + sealed + waiting + live + in_hand);
		assert(!fork_holds || !in_synchronize)
	};
	fork_drop(PURGE);
	fork_drop(ENGINE);
	fork_drop(REGISTRY);
	if
	:: fork_holds -> in_period = false
	:: else -> skip
	fi;
#ifndef NO_FORK_LOCK
	drop(FORK)
#endif
}

init { atomic { run Forker(); run Forker() } }
