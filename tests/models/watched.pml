/* SPDX-License-Identifier: MIT */
/*
 * "Watched": watch() in src/cache/depot.c and set_watched() in src/cache/refill.c, the last point of MO-6. The same
 * pattern as "watching" in src/cache/defer.c, MO-22.
 *
 * A put raises the depth, fences, and asks the worker unless the engine is watched. The worker clears "watched"
 * where it found the depth low, fences, and looks at the depth again.
 *
 * Property: in the end a deep depot is watched, or the worker was asked.
 *
 * Each thread has a store buffer of one word, for the one word that it stores.
 *
 * Abstractions. One put, and a depth of 1 is above the mark. What is done when the worker was asked: waker.pml. The
 * depth is raised by a relaxed RMW, which on some machines is as weak as a store: so it is one here.
 *
 * Twins: NO_PUT_FENCE, NO_WORKER_FENCE, NO_LOOK (at the depth again).
 */
bool deep, deep_buffered;
bool watched = true, watched_buffered, watched_buffer;
bool asked;
byte ended;

inline flush_put() { d_step { if :: deep_buffered -> deep = true; deep_buffered = false :: else -> skip fi } }
inline flush_worker()
{
	d_step {
		if
		:: watched_buffered -> watched = watched_buffer; watched_buffered = false; watched_buffer = false
		:: else -> skip
		fi
	}
}

active proctype Put()
{
	deep_buffered = true;
#ifndef NO_PUT_FENCE
	flush_put();
#endif
	if
	:: !watched -> asked = true
	:: else -> skip
	fi;
	ended++
}

active proctype Worker()
{
	if
	:: !deep ->
		d_step { watched_buffered = true; watched_buffer = false };
#ifndef NO_WORKER_FENCE
		flush_worker();
#endif
#ifndef NO_LOOK
		if
		:: deep -> flush_worker(); d_step { watched_buffered = true; watched_buffer = true }
		:: else -> skip
		fi
#endif
	:: else -> skip
	fi;
	ended++
}

active proctype Buffers()
{
	do
	:: deep_buffered -> flush_put()
	:: watched_buffered -> flush_worker()
	:: ended == 2 && !deep_buffered && !watched_buffered -> break
	od;
	assert(watched || asked)
}
