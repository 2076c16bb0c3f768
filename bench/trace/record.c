/* SPDX-License-Identifier: MIT */
/*
 * The recorder: preloaded, it takes the place of malloc and writes down every call of the program,
 * handed on to the real one. record.sh starts programs with it; the file is described in format.h.
 *
 *	BMA_TRACE_OUT     the file, an absolute path; without it nothing is recorded
 *	BMA_TRACE_EVENTS  stop after that many events; what is live then stays live in the trace
 *	BMA_TRACE_PID     the process to be recorded, if it is not the first that sees these
 *
 * One process is recorded, from the end of our constructor to its exit; its children are not, by
 * whatever way they come. A program that ends by a signal, or turns into another by exec, leaves a
 * file that is not complete, and readers say so.
 *
 * Not seen: operators new and delete of a library that brings its own (others call malloc), and
 * functions that only one malloc has (mallocx() of jemalloc). What comes from there is not in the
 * trace, neither made nor freed.
 */
#include "record.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the process that is recorded; a child of vfork is another, in the same memory. */
static pid_t owner;

static bool enter(void)
{
	if (!record_active() || record_self.inside)
		return false;
	record_self.inside = true;
	return true;
}

static void leave(void)
{
	record_self.inside = false;
}

/* @p was made, NULL: it was not. */
static void *made(enum trace_kind kind, void *p, unsigned int align, size_t size)
{
	int saved = errno;
	struct record_object *object = p ? record_object_new() : NULL;
	uint32_t order;

	if (object && record_event(kind, 0, align, size, &order))
		record_object_put(object, p, order);
	else if (object)
		record_object_drop(object);
	errno = saved;
	leave();
	return p;
}

RECORD_INTERPOSED void *malloc(size_t size)
{
	if (!enter())
		return record_real_malloc(size);
	return made(TRACE_ALLOC, record_real_malloc(size), 0, size);
}

RECORD_INTERPOSED void *calloc(size_t n, size_t size)
{
	void *p;

	if (!enter())
		return record_real_calloc(n, size);
	p = record_real_calloc(n, size);
	return made(TRACE_CALLOC, p, 0, n * size);
}

/* The number is taken before the address can be somebody else's. */
RECORD_INTERPOSED void free(void *p)
{
	struct record_object *object;
	int saved = errno;
	uint32_t order;

	if (!p || !enter()) {
		record_real_free(p);
		return;
	}
	object = record_object_take(p);
	if (object) {
		record_event(TRACE_FREE, record_object_number(object), 0, 0, &order);
		record_object_drop(object);
	}
	errno = saved;
	record_real_free(p);
	leave();
}

/* As in free(), the old object leaves the table first; should the call fail, it comes back. */
RECORD_INTERPOSED void *realloc(void *p, size_t size)
{
	struct record_object *object;
	enum trace_kind kind = TRACE_REALLOC;
	uint32_t old, order;
	void *now;
	int saved;

	if (!enter())
		return record_real_realloc(p, size);
	object = p ? record_object_take(p) : NULL;
	now = record_real_realloc(p, size);
	if (!object)
		return made(TRACE_ALLOC, now, 0, size);
	saved = errno;
	old = record_object_number(object);
	if (!now && size) {
		record_object_put(object, p, old);
	} else {
		if (!now)
			kind = TRACE_FREE;
		if (record_event(kind, old, 0, size, &order) && now)
			record_object_put(object, now, order);
		else
			record_object_drop(object);
	}
	errno = saved;
	leave();
	return now;
}

static unsigned int log2_of(size_t align)
{
	return align > 1 ? (unsigned int)__builtin_ctzl(align) : 0;
}

RECORD_INTERPOSED void *aligned_alloc(size_t align, size_t size)
{
	if (!enter())
		return record_real_aligned_alloc(align, size);
	return made(TRACE_ALIGNED, record_real_aligned_alloc(align, size), log2_of(align), size);
}

RECORD_INTERPOSED void *memalign(size_t align, size_t size)
{
	if (!enter())
		return record_real_memalign(align, size);
	return made(TRACE_ALIGNED, record_real_memalign(align, size), log2_of(align), size);
}

RECORD_INTERPOSED int posix_memalign(void **p, size_t align, size_t size)
{
	int error;

	if (!enter())
		return record_real_posix_memalign(p, align, size);
	error = record_real_posix_memalign(p, align, size);
	made(TRACE_ALIGNED, error ? NULL : *p, log2_of(align), size);
	return error;
}

static size_t page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

RECORD_INTERPOSED void *valloc(size_t size)
{
	if (!enter())
		return record_real_valloc(size);
	return made(TRACE_ALIGNED, record_real_valloc(size), log2_of(page()), size);
}

RECORD_INTERPOSED void *pvalloc(size_t size)
{
	if (!enter())
		return record_real_pvalloc(size);
	return made(TRACE_ALIGNED, record_real_pvalloc(size), log2_of(page()),
		    (size + page() - 1) & ~(page() - 1));
}

RECORD_INTERPOSED size_t malloc_usable_size(void *p)
{
	return record_real_usable(p);
}

__attribute__((destructor)) static void end(void)
{
	/* Once: _exit() comes after exit(). */
	if (owner && owner == getpid()) {
		owner = 0;
		record_self.inside = true;
		record_stream_finish();
		record_self.inside = false;
	}
}

/* Not every program returns from main. */
RECORD_INTERPOSED __attribute__((noreturn)) void _exit(int status)
{
	end();
	for (;;)
		syscall(SYS_exit_group, status);
}

RECORD_INTERPOSED __attribute__((noreturn)) void _Exit(int status)
{
	_exit(status);
}

static void in_child(void)
{
	owner = 0;
	record_stream_forget();
}

__attribute__((constructor)) static void begin(void)
{
	const char *out = getenv("BMA_TRACE_OUT"), *events = getenv("BMA_TRACE_EVENTS");
	const char *process = getenv("BMA_TRACE_PID");
	unsigned long long most = events ? strtoull(events, NULL, 10) : TRACE_EVENTS_MAX;

	if (!out || (process && strtol(process, NULL, 10) != getpid()))
		return;
	if (!most || most > TRACE_EVENTS_MAX)
		most = TRACE_EVENTS_MAX;
	record_self.inside = true;
	if (*out == '/' && !pthread_atfork(NULL, NULL, in_child) && !at_quick_exit(end) &&
	    record_objects_start() && record_thread_start() && record_stream_start(out, most))
		owner = getpid();
	else
		fprintf(stderr, "trace: %s cannot be written (an absolute path?)\n", out);
	record_self.inside = false;
}
