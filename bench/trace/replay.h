/* SPDX-License-Identifier: MIT */
/*
 * Replaying a schedule against a heap: with threads as in the trace, each doing in its order what it
 * did there, created by the thread that created it. An object that one thread made and another gives
 * back is given back by that other one, which waits until it has been made; for what else is waited, see
 * schedule.h.
 *
 * Objects are used as programs use them at least: the first and the last word are written when one
 * is made, and the first is read, and compared, when it goes. So an object that is in two hands at
 * once, or that a realloc did not copy, ends the process.
 *
 * The heap is inlined: heap.h for the peer that the file is compiled for, or, if REPLAY_HEAP is
 * defined, another header of that kind.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include "schedule.h"

#ifdef REPLAY_HEAP
#include REPLAY_HEAP
#else
#include "heap.h"
#endif

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/** struct replay_shared - A slot that two threads use. @ready: the object is there. */
struct replay_shared {
	struct heap_object object;
	_Atomic uint32_t ready;
};

struct replay_thread {
	struct replay *replay;
	const struct schedule_thread *plan;
	struct heap_object *slots;
	uint64_t mark; /* in what this thread's objects are marked with */
	pthread_t handle;
	bool spawned;
	/* The window of what it does next. Read by others, so alone in its lines. */
	_Alignas(128) _Atomic uint32_t window;
};

/** struct replay - A schedule and the objects that are live. @enter: NULL, or called by each thread
 * that begins but the first, with its number. */
struct replay {
	const struct schedule *plan;
	void (*enter)(unsigned int number);
	struct replay_thread *threads;
	struct replay_shared *shared;
};

/** replay_init - Get the slots; they are resident then. */
static inline void replay_init(struct replay *r, const struct schedule *plan)
{
	size_t bytes;

	r->plan = plan;
	r->enter = NULL;
	bytes = plan->shared * sizeof(r->shared[0]);
	r->shared = memset(trace_map(bytes), 0, bytes);
	r->threads = trace_map(plan->n * sizeof(r->threads[0]));
	for (unsigned int i = 0; i < plan->n; i++) {
		bytes = plan->threads[i].slots * sizeof(r->threads[i].slots[0]);
		r->threads[i].replay = r;
		r->threads[i].plan = &plan->threads[i];
		r->threads[i].mark = (uint64_t)(i + 1) << 40;
		r->threads[i].slots = memset(trace_map(bytes), 0, bytes);
	}
}

static inline void replay_write(const struct heap_object *o, size_t size, uint64_t mark)
{
	if (size < sizeof(mark)) {
		*(volatile unsigned char *)o->p = (unsigned char)mark;
	} else {
		*(volatile uint64_t *)o->p = mark;
		*(volatile uint64_t *)((char *)o->p + ((size - sizeof(mark)) & ~(size_t)7)) = mark;
	}
}

static inline void replay_compare(const struct heap_object *o, size_t size, uint64_t mark)
{
	bool good = size < sizeof(mark) ? *(volatile unsigned char *)o->p == (unsigned char)mark
					: *(volatile uint64_t *)o->p == mark;

	if (__builtin_expect(!good, 0))
		heap_die("an object does not hold what was written to it");
}

/* Different in all objects that are live at the same time. */
static inline uint64_t replay_mark(const struct replay_thread *t, struct schedule_op op)
{
	return (schedule_shared(op) ? 1 : t->mark) + ((uint64_t)op.slot << 1);
}

/* For the object that @op makes; @o: what it is. */
static inline void replay_put(struct replay_thread *t, struct schedule_op op,
			      const struct heap_object *o)
{
	struct replay_shared *s;

	if (!schedule_shared(op)) {
		t->slots[op.slot] = *o;
		return;
	}
	s = &t->replay->shared[op.slot];
	s->object = *o;
	/* release: the object is made and written; with the acquire of who takes it. */
	atomic_store_explicit(&s->ready, 1, memory_order_release);
}

/* How often to look with nothing in between, and how often before the CPU is given to another. */
#define REPLAY_PAUSES 100
#define REPLAY_YIELDS 200

/* After @tries that were in vain. Long waits sleep: they are not to be counted as work. */
static inline void replay_relax(unsigned int tries)
{
	struct timespec moment = {0, 20000};

	if (tries >= REPLAY_YIELDS)
		nanosleep(&moment, NULL);
	else if (tries >= REPLAY_PAUSES)
		sched_yield();
#if defined(__x86_64__)
	else
		__builtin_ia32_pause();
#endif
}

/* The object that @op takes. */
static inline struct heap_object replay_get(struct replay_thread *t, struct schedule_op op)
{
	struct replay_shared *s;

	if (!schedule_shared(op))
		return t->slots[op.slot];
	s = &t->replay->shared[op.slot];
	/* acquire: with the release of replay_put(). */
	for (unsigned int i = 0; !atomic_load_explicit(&s->ready, memory_order_acquire); i++)
		replay_relax(i);
	/* For another pass; threads are joined before that. */
	atomic_store_explicit(&s->ready, 0, memory_order_relaxed);
	return s->object;
}

static inline void replay_realloc(struct replay_thread *t, struct schedule_op from,
				  struct schedule_op to)
{
	struct heap_object o = replay_get(t, from);
	size_t old = schedule_size(to), size = schedule_size(from);

	heap_realloc(&o, old, size);
	replay_compare(&o, old < size ? old : size, replay_mark(t, from));
	replay_write(&o, size, replay_mark(t, to));
	replay_put(t, to, &o);
}

/*
 * Relaxed: this keeps threads together, and orders nothing. Such waits may be long, so they sleep;
 * who goes on to another window wakes those who wait for that.
 */
static inline void replay_pace(struct replay_thread *t, uint32_t window)
{
	struct replay *r = t->replay;

	if (r->plan->n == 1)
		return;
	atomic_store_explicit(&t->window, window, memory_order_relaxed);
	syscall(SYS_futex, &t->window, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	for (unsigned int i = 0; i < r->plan->n && window != SCHEDULE_DONE; i++) {
		_Atomic uint32_t *other = &r->threads[i].window;
		uint32_t seen;

		for (unsigned int tries = 0;
		     (seen = atomic_load_explicit(other, memory_order_relaxed)) + 1 < window &&
		     seen != SCHEDULE_DONE;
		     tries++) {
			if (tries < REPLAY_PAUSES)
				replay_relax(tries);
			else
				syscall(SYS_futex, other, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
		}
	}
}

static void *replay_enter(void *arg);

static inline void replay_thread(struct replay_thread *t)
{
	const struct schedule_op *end = t->plan->ops + t->plan->n;

	for (const struct schedule_op *at = t->plan->ops; at < end; at++) {
		struct schedule_op op = *at;
		size_t size = schedule_size(op);
		struct replay_thread *other;
		struct heap_object o;

		switch (schedule_kind(op)) {
		case SCHEDULE_FREE:
			o = replay_get(t, op);
			replay_compare(&o, size, replay_mark(t, op));
			heap_free(&o);
			continue;
		case SCHEDULE_REALLOC:
			replay_realloc(t, op, *++at);
			continue;
		case SCHEDULE_SPAWN:
			other = &t->replay->threads[op.slot];
			if (pthread_create(&other->handle, NULL, replay_enter, other))
				heap_die("no thread");
			other->spawned = true;
			continue;
		case SCHEDULE_PACE:
			replay_pace(t, op.slot);
			continue;
		case SCHEDULE_ALLOC:
			heap_alloc(&o, size);
			break;
		case SCHEDULE_CALLOC:
			heap_calloc(&o, size);
			break;
		default:
			heap_aligned(&o, schedule_align(op), size);
			break;
		}
		replay_write(&o, size, replay_mark(t, op));
		replay_put(t, op, &o);
	}
	replay_pace(t, SCHEDULE_DONE);
}

static void *replay_enter(void *arg)
{
	struct replay_thread *t = arg;
	unsigned int number = (unsigned int)(t - t->replay->threads);

	if (t->replay->enter)
		t->replay->enter(number);
	heap_thread_enter(number);
	replay_thread(t);
	heap_thread_leave();
	return NULL;
}

/** replay_run - One pass, in this thread and those that it makes; they are gone afterwards. */
static inline void replay_run(struct replay *r)
{
	for (unsigned int i = 0; i < r->plan->n; i++)
		atomic_store_explicit(&r->threads[i].window, r->plan->threads[i].window,
				      memory_order_relaxed);
	replay_thread(&r->threads[0]);
	/* A thread has a higher number than the one that created it, which has thus been joined. */
	for (unsigned int i = 1; i < r->plan->n; i++) {
		if (r->threads[i].spawned)
			pthread_join(r->threads[i].handle, NULL);
		r->threads[i].spawned = false;
	}
}

/** replay_clear - Free what the trace leaves, so that there may be another pass. */
static inline void replay_clear(struct replay *r)
{
	for (size_t i = 0; i < r->plan->n_left; i++) {
		const struct schedule_left *left = &r->plan->left[i];

		heap_free(&r->threads[left->thread].slots[left->slot]);
	}
}

#endif /* REPLAY_H */
