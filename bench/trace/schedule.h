/* SPDX-License-Identifier: MIT */
/*
 * A trace made ready to be replayed: what each thread does, without looking anything up.
 *
 * Objects are kept in slots. One that never leaves its thread gets a slot of the thread's, which is used
 * again for a later one, last in first out, so that the slots that are in use stay in the caches. One
 * that is given back by another thread gets a slot that is shared and used once: there the taker
 * waits for the maker. Nothing else is waited for: threads are as far apart as they happen to be.
 *
 * Objects over %SCHEDULE_LARGE bytes, and those aligned to more than %SCHEDULE_ALIGN_LOG2 says, are left
 * out for every peer alike, and counted: mallocs map such memory from the system one by one, and a
 * heap of BMA would do the same.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "trace.h"

#define SCHEDULE_LARGE ((uint32_t)256 << 10)
#define SCHEDULE_ALIGN_LOG2 16
#define SCHEDULE_WINDOW 4096
/* No window, but the end of a thread. */
#define SCHEDULE_DONE UINT32_MAX

enum schedule_kind {
	SCHEDULE_ALLOC,
	SCHEDULE_CALLOC,
	SCHEDULE_ALIGNED,
	SCHEDULE_FREE,
	/* Two operations: where the object is and the size it is to have, then where it goes (TO) and
	 * the size it has. */
	SCHEDULE_REALLOC,
	SCHEDULE_TO,
	/* @slot is the thread. */
	SCHEDULE_SPAWN,
	/* @slot is the window of what comes next. */
	SCHEDULE_PACE,
};

/** struct schedule_op - @what: kind, shared slot, log2 of the alignment, size; from low to high. */
struct schedule_op {
	uint32_t what;
	uint32_t slot;
};

static inline unsigned int schedule_kind(struct schedule_op op)
{
	return op.what & 7;
}

static inline bool schedule_shared(struct schedule_op op)
{
	return op.what & 8;
}

static inline size_t schedule_align(struct schedule_op op)
{
	return (size_t)1 << (op.what >> 4 & 31);
}

/* Never 0, to keep clear of what mallocs think of that. */
static inline size_t schedule_size(struct schedule_op op)
{
	return op.what >> 9;
}

/** struct schedule_thread - One thread. @slots: how many of its own it needs. @window: of its first
 * operation. */
struct schedule_thread {
	struct schedule_op *ops;
	size_t n;
	uint32_t slots;
	uint32_t window;
};

/** struct schedule_left - An object that nobody gave back: in its maker's slot. */
struct schedule_left {
	uint32_t thread;
	uint32_t slot;
};

/**
 * struct schedule - The whole.
 *
 * @shared: shared slots. @left: objects that are live at the end.
 * @events: of the trace, that are replayed; @left_out: objects that are not.
 * @bytes_peak: most bytes that are live at once, as asked for, in the order of the trace.
 */
struct schedule {
	struct schedule_thread *threads;
	unsigned int n;
	uint32_t shared;
	struct schedule_left *left;
	size_t n_left;
	size_t events;
	size_t left_out;
	uint64_t bytes_peak;
	struct schedule_op *ops;
	size_t n_ops;
};

/** schedule_make - Make one. Its memory is never given back. The trace is not needed any more. */
void schedule_make(struct schedule *s, const struct trace *trace);

#endif /* SCHEDULE_H */
