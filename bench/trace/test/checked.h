/* SPDX-License-Identifier: MIT */
/* A heap that writes down, for each thread, what is asked of it. */
#ifndef TRACE_CHECKED_H
#define TRACE_CHECKED_H

#include "../schedule.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKED_CALLS 100000
#define CHECKED_THREADS 8

struct heap_object {
	void *p;
	uint32_t size;
};

/* @taken, @made: sizes, which tell objects apart; 0: none. */
struct checked_call {
	uint32_t taken;
	uint32_t made;
	uint32_t align;
};

static struct {
	struct checked_call calls[CHECKED_CALLS];
	size_t n;
} checked[CHECKED_THREADS];
static __thread unsigned int checked_self;
/* By size: is such an object there? */
static atomic_bool checked_live[SCHEDULE_LARGE + 1];

static inline __attribute__((noreturn)) void heap_die(const char *why)
{
	fprintf(stderr, "FAILED: %s\n", why);
	exit(1);
}

static inline void checked_call(uint32_t taken, uint32_t made, size_t align)
{
	size_t n = checked[checked_self].n++;

	if (n == CHECKED_CALLS)
		heap_die("too many calls");
	checked[checked_self].calls[n].taken = taken;
	checked[checked_self].calls[n].made = made;
	checked[checked_self].calls[n].align = (uint32_t)align;
	if (taken && !atomic_exchange(&checked_live[taken], false))
		heap_die("taken without having been made, or twice");
	if (made && atomic_exchange(&checked_live[made], true))
		heap_die("made twice");
}

static inline void checked_make(struct heap_object *o, size_t align, size_t size)
{
	o->size = (uint32_t)size;
	if (posix_memalign(&o->p, align, size))
		heap_die("out of memory");
}

static inline void heap_init(const struct schedule *plan)
{
	(void)plan;
}

static inline void heap_alloc(struct heap_object *o, size_t size)
{
	checked_make(o, 16, size);
	checked_call(0, o->size, 0);
}

static inline void heap_calloc(struct heap_object *o, size_t size)
{
	checked_make(o, 16, size);
	memset(o->p, 0, size);
	checked_call(0, o->size, 1);
}

static inline void heap_aligned(struct heap_object *o, size_t align, size_t size)
{
	checked_make(o, align, size);
	checked_call(0, o->size, align);
}

static inline void heap_free(const struct heap_object *o)
{
	checked_call(o->size, 0, 0);
	free(o->p);
}

static inline void heap_realloc(struct heap_object *o, size_t old, size_t size)
{
	struct heap_object other;

	if (o->size != old)
		heap_die("a realloc of another object");
	checked_make(&other, 16, size);
	memcpy(other.p, o->p, old < size ? old : size);
	checked_call(o->size, other.size, 0);
	free(o->p);
	*o = other;
}

static inline void heap_thread_enter(unsigned int number)
{
	checked_self = number;
}

static inline void heap_thread_leave(void)
{
}

#endif /* TRACE_CHECKED_H */
