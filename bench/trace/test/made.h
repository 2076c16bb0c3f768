/* SPDX-License-Identifier: MIT */
/* Traces of random calls: threads that make, resize and give back each other's objects. */
#ifndef TRACE_MADE_H
#define TRACE_MADE_H

#include "../schedule.h"

/* Threads besides the main one, and the most objects that are live at a time. */
#define MADE_THREADS 2
#define MADE_LIVE 300

static inline uint32_t made_random(uint32_t *seed)
{
	return *seed = *seed * 1664525 + 1013904223, *seed >> 8;
}

/* The size of the object that event @i makes: no other has it; some are too large to be replayed. */
static inline uint32_t made_size(size_t i, uint32_t seed)
{
	return (uint32_t)i + 1 + (seed % 50 == 0 ? SCHEDULE_LARGE : 0);
}

/*
 * @n events, fewer than %SCHEDULE_LARGE. Thread 1 is created by the main thread, thread 2 by thread
 * 1; at the end some objects are live.
 */
static inline void made_trace(struct trace *t, size_t n, uint32_t seed)
{
	uint32_t live[MADE_LIVE], thread = 0, pick;
	size_t n_live = 0;

	t->room = n;
	t->events = trace_map(n * sizeof(t->events[0]));
	t->n = n;
	t->threads = 1;
	for (size_t i = 0; i < n; i++) {
		struct trace_event *e = &t->events[i];

		/* Runs of one thread, so that there is something to wait for. */
		if (made_random(&seed) % 8 == 0)
			thread = made_random(&seed) % t->threads;
		e->thread = (uint16_t)thread;
		if (t->threads <= MADE_THREADS && i > 20 * t->threads && thread == t->threads - 1) {
			e->kind = TRACE_THREAD;
			e->object = t->threads++;
			continue;
		}
		pick = n_live ? made_random(&seed) % (uint32_t)n_live : 0;
		if (n_live && (n_live == MADE_LIVE || made_random(&seed) % 2)) {
			e->kind = made_random(&seed) % 4 ? TRACE_FREE : TRACE_REALLOC;
			e->object = live[pick];
			live[pick] = live[--n_live];
		} else {
			static const uint8_t kinds[] = {TRACE_ALLOC, TRACE_ALLOC, TRACE_CALLOC,
							TRACE_ALIGNED};

			e->kind = kinds[made_random(&seed) % 4];
			e->align = e->kind == TRACE_ALIGNED ? (uint8_t)(4 + made_random(&seed) % 8)
							    : 0;
		}
		if (trace_makes(e->kind)) {
			e->size = made_size(i, made_random(&seed));
			live[n_live++] = (uint32_t)i;
		} else {
			e->size = t->events[e->object].size;
		}
	}
}

#endif /* TRACE_MADE_H */
