/* SPDX-License-Identifier: MIT */
/*
 * For tape.pml and limbo.pml, no model by itself: one CPU on which two calls work, and one word of its slot.
 *
 * Each call goes on for any number of instructions until the other one does, and every change-over aborts the
 * sequence that it interrupts: it is INSIDE one, then ABORTED. A handler is the case in which one of them comes
 * back only after the other one ended.
 *
 * The CPU has a store buffer for the word: its commit is seen by others at any later time, by the fence
 * (bma__cpu_fence(): membarrier for rseq) at the latest. Others act on memory. Links and elements are stored before
 * the word and read by others after the fence: they need no buffer.
 */
byte word, buffer;
bool buffered;
#define OUTSIDE 0
#define INSIDE 1 /* a sequence */
#define ABORTED 2
byte seq[2];
bit now; /* who has the CPU */
bool over; /* nobody works here any more */

#define READ (buffered -> buffer : word)
#define MAY (now == c)
#define GO (now == c && seq[c] == INSIDE)
#define GONE (now == c && seq[c] == ABORTED)
/* A test, within a sequence or not, and where to go if it fails. */
#define GO_IF(good, label) if :: MAY && (seq[c] == ABORTED || !(good)) -> goto label :: GO && (good) fi
#define MAY_IF(good, label) if :: MAY && !(good) -> goto label :: MAY && (good) fi
#define WHEN(c, s) if :: c -> s :: else fi

inline flush() { WHEN(buffered, word = buffer; buffered = false; buffer = 0) }
#ifdef NOBODY_ELSE /* who would see it */
inline store(v) { word = v }
#else
inline store(v) { WHEN(buffered, word = buffer); buffer = v; buffered = true }
#endif
inline abort() { WHEN(seq[0], seq[0] = ABORTED); WHEN(seq[1], seq[1] = ABORTED) }
inline fence() { atomic { flush(); abort() } }

active proctype Cpu()
{
end:	do
	:: atomic { buffered -> flush() }
	:: atomic { !over -> now = 1 - now; abort() }
	od
}
