/* SPDX-License-Identifier: MIT */
/*
 * The file of a trace: what a program asked of its malloc, by which thread, in which order.
 *
 *	file   = "BMATRC1\n" chunk... end
 *	chunk  = thread + 1, events, order, bytes, event...
 *	end    = 0, events of the whole file
 *	event  = kind | gap << 3, and then by kind:
 *		 ALLOC, CALLOC    size
 *		 FREE             age
 *		 REALLOC          age, size
 *		 ALIGNED          log2 of the alignment, size
 *		 THREAD           number
 *
 * All numbers are unsigned, 7 bits to a byte, the lowest first; the eighth bit says that more follow.
 *
 * Order: events are numbered 0, 1, 2 ... over all threads; none is missing. A chunk is of one thread.
 * Its header gives the number of its first event and how many events and bytes they are; an event
 * comes @gap + 1 after the one before it in the chunk, and the first one has a gap of 0. Chunks of
 * one thread stand in order; chunks of different threads stand as they were written.
 *
 * Objects have no name but the number of the event that made them: ALLOC, CALLOC, ALIGNED or
 * REALLOC. FREE and REALLOC say which one is gone: it was made @age events ago. So an object that
 * is made by one thread and given back by another is simply that.
 *
 * Threads: 0 is the one that ran main(). Every other one is introduced by THREAD, in a chunk of the
 * thread that created it, or in its own if nobody knows, before its first event of another kind.
 *
 * Sizes are those that were asked for, in bytes, at most UINT32_MAX (larger ones are written so).
 */
#ifndef TRACE_FORMAT_H
#define TRACE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_MAGIC "BMATRC1\n"
#define TRACE_MAGIC_SIZE (sizeof(TRACE_MAGIC) - 1)

/* 0 is no event: so a table of them can say that one is missing. */
enum trace_kind {
	TRACE_ALLOC = 1,
	TRACE_FREE,
	TRACE_REALLOC,
	TRACE_CALLOC,
	TRACE_ALIGNED,
	TRACE_THREAD,
};

/** TRACE_KIND_BITS - Bits of the first number of an event that are its kind. */
#define TRACE_KIND_BITS 3
/** TRACE_THREADS_MAX - Threads of a trace. */
#define TRACE_THREADS_MAX 65536u
/** TRACE_EVENTS_MAX - Events of a trace. */
#define TRACE_EVENTS_MAX UINT32_C(0xfffffff0)
/** TRACE_NUMBER_MAX - Bytes that a number takes at most. */
#define TRACE_NUMBER_MAX 10
/** TRACE_EVENT_MAX - Bytes that an event takes at most. */
#define TRACE_EVENT_MAX (3 * TRACE_NUMBER_MAX)

/** trace_put - Write a number. Returns: its bytes, at most %TRACE_NUMBER_MAX. */
static inline size_t trace_put(unsigned char *at, uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		at[n++] = (unsigned char)(value | 0x80);
	at[n++] = (unsigned char)value;
	return n;
}

/** trace_get - Read a number and step over it. Returns: false if it does not end before @end. */
static inline bool trace_get(const unsigned char **at, const unsigned char *end, uint64_t *value)
{
	uint64_t result = 0;

	for (unsigned int shift = 0; *at < end && shift < 7 * TRACE_NUMBER_MAX; shift += 7) {
		unsigned char byte = *(*at)++;

		result |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*value = result;
			return true;
		}
	}
	return false;
}

#endif /* TRACE_FORMAT_H */
