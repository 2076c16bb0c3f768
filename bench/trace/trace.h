/* SPDX-License-Identifier: MIT */
/* Reading a trace whole, and finding out whether it is one. The file is described in format.h. */
#ifndef TRACE_H
#define TRACE_H

#include "format.h"

/**
 * struct trace_event - One event. Its number is its place.
 *
 * @object: FREE, REALLOC: the number of the event that made what is gone now. THREAD: the new
 *          thread.
 * @size: bytes asked for, of all kinds that make an object; FREE: bytes of what is gone.
 * @thread: whose event it is. @kind: TRACE_*. @align: ALIGNED: log2 of the alignment.
 */
struct trace_event {
	uint32_t object;
	uint32_t size;
	uint16_t thread;
	uint8_t kind;
	uint8_t align;
};

/** struct trace - A trace in memory, outside of any malloc. @threads: the main thread counts. */
struct trace {
	struct trace_event *events;
	size_t n;
	unsigned int threads;
	size_t room; /* of @events */
};

/** struct trace_error - What is wrong with a file. @record: number of the event; @text: a line. */
struct trace_error {
	size_t record;
	char text[256];
};

/**
 * trace_read - Read a file.
 * @trace: filled in any case: after an error it holds the events before the one that is wrong,
 *         and these make a whole trace by themselves.
 *
 * Wrong is: a file that ends too early, a number out of range, an event that is missing or there
 * twice, an object that goes and is not there, a thread that nobody introduced.
 *
 * Returns: 0; or -1, and @error says what and where.
 */
int trace_read(struct trace *trace, const char *path, struct trace_error *error);

/** trace_drop - Give the memory back. */
void trace_drop(struct trace *trace);

/** trace_makes - Does an event of this kind make an object? */
static inline bool trace_makes(unsigned int kind)
{
	return kind == TRACE_ALLOC || kind == TRACE_CALLOC || kind == TRACE_ALIGNED ||
	       kind == TRACE_REALLOC;
}

/** trace_takes - Does an event of this kind end the life of one? */
static inline bool trace_takes(unsigned int kind)
{
	return kind == TRACE_FREE || kind == TRACE_REALLOC;
}

/** trace_map - Zeroed memory from the system; ends the process if there is none. */
void *trace_map(size_t bytes);
/** trace_unmap - Give it back. */
void trace_unmap(void *at, size_t bytes);

#endif /* TRACE_H */
