/* SPDX-License-Identifier: MIT */
/*
 * Tagged stacks and the depot's look: src/cache/stack.c, take() and put() in src/cache/depot.c, MO-1.
 *
 * Three threads get and put magazines, two stacks, three magazines. A pop reads the head, then the link of the top,
 * which may be stale, then exchanges the head. A get that reads as many gets as puts, in this order, has found nothing. Any
 * other that found nothing looks at both heads twice; unless they are empty and the same it starts over.
 *
 * Properties: a magazine is on one stack once, or in one hand: who exchanged the head away from it has it. A get
 * comes back empty only if the stacks were empty at one moment of it.
 *
 * Abstractions. Any order of stacks for puts and gets: the ring's numbers, a slot's own stack, and other nodes.
 * Tags do not wrap round. The counts by slot are never too few, so a stack that is passed by for its count is
 * empty. Sequentially consistent: what is released is the magazine in hand, and the head is exchanged by an RMW.
 *
 * Twins: NO_TAG. NO_SECOND_LOOK: a get gives up after one round, though there was a magazine all the time. ONE_LOOK: it
 * looks at the heads once, and finds each empty at a moment of its own. COUNTED_LATE: a put counts after its push. GETS_LAST:
 * puts are read before gets.
 */
#define MAGS 3
#define THREADS 3
#define HAND 8 /* + thread */

#define TOP(h) ((h) & 3)
#ifdef NO_TAG
#define NEXT_HEAD(h, m) (m)
#else
#define NEXT_HEAD(h, m) (((h) & ~3) + 4 | (m))
#endif

byte head[2]; /* tag << 2 | index */
byte link[MAGS + 1], where[MAGS + 1];
byte puts = 2, gets;
/* Not in the source: */
byte stocked;		/* magazines on stacks */
bool was_empty[THREADS]; /* since this get began */

inline push(s_, m_)
{
	h = head[s_];
	do
	:: true ->
		link[m_] = TOP(h);
		if
		:: d_step { head[s_] == h -> assert(where[m_] == HAND + i);
			where[m_] = s_; stocked++;
			head[s_] = NEXT_HEAD(h, m_) }; break
		:: d_step { head[s_] != h -> h = head[s_] }
		fi
	od
}

inline pop(s_)
{
	h = head[s_];
	do
	:: !TOP(h) -> break
	:: TOP(h) ->
		n = link[TOP(h)];
		if
		:: d_step { head[s_] == h ->
			head[s_] = NEXT_HEAD(h, n); got = TOP(h);
			assert(where[got] == s_);
			where[got] = HAND + i; stocked--;
			if
			:: !stocked -> was_empty[0] = true; was_empty[1] = true; was_empty[2] = true
			:: else -> skip
			fi }; break
		:: d_step { head[s_] != h -> h = head[s_] }
		fi
	od;
	h = 0; n = 0
}

inline get()
{
	d_step { got = 0; was_empty[i] = !stocked };
#ifdef GETS_LAST
	a = puts;
	b = gets;
#else
	a = gets;
	b = puts;
#endif
	do
	:: a == b -> break
	:: else ->
		a = 0;
		b = 0;
		if
		:: s = 0
		:: s = 1
		fi;
		pop(s);
		if
		:: !got -> pop(1 - s)
		:: else -> skip
		fi;
#ifdef NO_SECOND_LOOK
		break
#else
		if
		:: got -> break
		:: else -> skip
		fi;
		a = head[0];
		b = head[1];
		if
		:: TOP(a) || TOP(b) -> skip
#ifdef ONE_LOOK
		:: else -> break
#else
		:: else ->
			if
			:: head[0] == a ->
				if
				:: head[1] == b -> break
				:: head[1] != b -> skip
				fi
			:: head[0] != a -> skip
			fi
#endif
		fi;
		d_step { a = 0; b = 1 } /* go on */
#endif
	od;
	if
	:: got -> gets++
	:: else -> skip
	fi;
	atomic { assert(got || was_empty[i]);
		was_empty[i] = false; a = 0; b = 0; s = 0; got = 0 }
}

inline put()
{
	if
	:: where[1] == HAND + i -> s = 1
	:: where[2] == HAND + i -> s = 2
	:: where[3] == HAND + i -> s = 3
	fi;
	atomic { got = s; s = 0 };
#ifndef COUNTED_LATE
	puts++;
#endif
	if
	:: push(0, got)
	:: push(1, got)
	fi;
#ifdef COUNTED_LATE
	puts++;
#endif
	atomic { got = 0; h = 0 }
}

#define HAS (where[1] == HAND + i || where[2] == HAND + i || where[3] == HAND + i)

proctype Thread(byte i; byte calls)
{
	byte h, n, s, got, a, b;

	do
	:: calls -> calls--; get()
	:: calls && HAS -> calls--; put()
	:: !calls -> break
	od
}

init {
	atomic {
		where[3] = HAND + 2; link[1] = 2; head[0] = 1; stocked = 2;
		run Thread(0, 1); run Thread(1, 4); run Thread(2, 1)
	}
}
