/* SPDX-License-Identifier: MIT */
#include "schedule.h"

#include <string.h>

#define NONE UINT32_MAX

struct maker {
	struct schedule *s;
	const struct trace *t;
	bool *handed_over; /* by the number of the object, as all of these */
	uint32_t *slot;
	uint32_t *next;	  /* in the thread's list of objects that are gone, whose slots are free */
	uint32_t *gone;	  /* by thread: the head of that list */
	uint32_t *window; /* by thread: of its last event */
	uint64_t bytes;
};

static bool left_out(const struct trace_event *made)
{
	return made->size > SCHEDULE_LARGE || made->align > SCHEDULE_ALIGN_LOG2;
}

static uint32_t size_of(const struct trace_event *made)
{
	return made->size ? made->size : 1;
}

/* Of a thread that nobody is known to have created. */
static bool is_orphan(const struct trace_event *e)
{
	return e->kind == TRACE_THREAD && e->object == e->thread;
}

/* Is this the first event of its thread in a window? */
static bool enters_window(struct maker *m, size_t number, unsigned int thread)
{
	uint32_t window = (uint32_t)(number / SCHEDULE_WINDOW);

	if (m->s->n == 1 || m->window[thread] == window)
		return false;
	if (m->window[thread] == SCHEDULE_DONE)
		m->s->threads[thread].window = window;
	m->window[thread] = window;
	return true;
}

/* How many operations each thread has, at most, and which objects change hands. */
static void look_ahead(struct maker *m)
{
	struct schedule *s = m->s;

	for (unsigned int i = 0; i < s->n; i++)
		s->threads[i].window = SCHEDULE_DONE;
	memset(m->window, 0xff, s->n * sizeof(m->window[0]));
	for (size_t i = 0; i < m->t->n; i++) {
		const struct trace_event *e = &m->t->events[i];
		unsigned int thread = is_orphan(e) ? 0 : e->thread;
		size_t n = (e->kind == TRACE_REALLOC ? 2u : 1u) + enters_window(m, i, thread);

		s->threads[thread].n += n;
		s->n_ops += n;
		if (trace_takes(e->kind) && m->t->events[e->object].thread != e->thread)
			m->handed_over[e->object] = true;
	}
	s->ops = trace_map(s->n_ops * sizeof(s->ops[0]));
	memset(m->window, 0xff, s->n * sizeof(m->window[0]));
	for (size_t i = 0, at = 0; i < s->n; i++) {
		s->threads[i].ops = s->ops + at;
		at += s->threads[i].n;
		s->threads[i].n = 0;
	}
}

static void add(struct maker *m, unsigned int thread, unsigned int kind, bool shared,
		unsigned int align, uint32_t size, uint32_t slot)
{
	struct schedule_thread *t = &m->s->threads[thread];

	t->ops[t->n].what = kind | (unsigned int)shared << 3 | align << 4 | size << 9;
	t->ops[t->n].slot = slot;
	t->n++;
}

/* The slot of an object that goes may be taken by the next one. */
static void add_gone(struct maker *m, const struct trace_event *e, unsigned int kind, uint32_t size)
{
	const struct trace_event *made = &m->t->events[e->object];

	add(m, e->thread, kind, m->handed_over[e->object], 0, size, m->slot[e->object]);
	m->bytes -= made->size;
	if (!m->handed_over[e->object]) {
		m->next[e->object] = m->gone[e->thread];
		m->gone[e->thread] = e->object;
	}
}

static void add_made(struct maker *m, size_t number, unsigned int kind, uint32_t size)
{
	const struct trace_event *e = &m->t->events[number];
	uint32_t *gone = &m->gone[e->thread];

	if (m->handed_over[number]) {
		m->slot[number] = m->s->shared++;
	} else if (*gone != NONE) {
		m->slot[number] = m->slot[*gone];
		*gone = m->next[*gone];
	} else {
		m->slot[number] = m->s->threads[e->thread].slots++;
	}
	add(m, e->thread, kind, m->handed_over[number], kind == SCHEDULE_ALIGNED ? e->align : 0,
	    size, m->slot[number]);
	m->bytes += e->size;
	if (m->bytes > m->s->bytes_peak)
		m->s->bytes_peak = m->bytes;
}

/* False: it is left out, whole. */
static bool add_event(struct maker *m, size_t number)
{
	const struct trace_event *e = &m->t->events[number];
	const struct trace_event *old = trace_takes(e->kind) ? &m->t->events[e->object] : NULL;
	bool takes = old && !left_out(old);
	bool makes = trace_makes(e->kind) && !left_out(e);

	if (is_orphan(e))
		return true;
	if (enters_window(m, number, e->thread))
		add(m, e->thread, SCHEDULE_PACE, false, 0, 0, m->window[e->thread]);
	if (e->kind == TRACE_THREAD) {
		add(m, e->thread, SCHEDULE_SPAWN, false, 0, 0, e->object);
		return true;
	}
	m->s->left_out += trace_makes(e->kind) && !makes;
	if (takes && makes) {
		add_gone(m, e, SCHEDULE_REALLOC, size_of(e));
		add_made(m, number, SCHEDULE_TO, size_of(old));
	} else if (takes) {
		add_gone(m, e, SCHEDULE_FREE, size_of(old));
	} else if (makes) {
		add_made(m, number,
			 e->kind == TRACE_CALLOC    ? SCHEDULE_CALLOC
			 : e->kind == TRACE_ALIGNED ? SCHEDULE_ALIGNED
						    : SCHEDULE_ALLOC,
			 size_of(e));
	}
	return takes || makes;
}

/* What is live at the end: made, and not taken by anyone. */
static void find_left(struct maker *m)
{
	bool *taken = trace_map(m->t->n);
	struct schedule *s = m->s;

	for (size_t i = m->t->n; i-- > 0;) {
		const struct trace_event *e = &m->t->events[i];

		if (trace_takes(e->kind))
			taken[e->object] = true;
		if (trace_makes(e->kind) && !taken[i] && !left_out(e)) {
			s->left[s->n_left].thread = e->thread;
			s->left[s->n_left].slot = m->slot[i];
			s->n_left++;
		}
	}
	trace_unmap(taken, m->t->n);
}

void schedule_make(struct schedule *s, const struct trace *trace)
{
	struct maker m = {.s = s, .t = trace};

	memset(s, 0, sizeof(*s));
	s->n = trace->threads;
	s->threads = trace_map(s->n * sizeof(s->threads[0]));
	s->left = trace_map(trace->n * sizeof(s->left[0]));
	m.handed_over = trace_map(trace->n * sizeof(m.handed_over[0]));
	m.slot = trace_map(trace->n * sizeof(m.slot[0]));
	m.next = trace_map(trace->n * sizeof(m.next[0]));
	m.gone = trace_map(s->n * sizeof(m.gone[0]));
	m.window = trace_map(s->n * sizeof(m.window[0]));
	memset(m.gone, 0xff, s->n * sizeof(m.gone[0]));
	look_ahead(&m);
	for (size_t i = 0; i < trace->n; i++) {
		if (is_orphan(&trace->events[i]))
			add(&m, 0, SCHEDULE_SPAWN, false, 0, 0, trace->events[i].object);
	}
	for (size_t i = 0; i < trace->n; i++) {
		s->events += add_event(&m, i);
	}
	find_left(&m);
	trace_unmap(m.handed_over, trace->n * sizeof(m.handed_over[0]));
	trace_unmap(m.slot, trace->n * sizeof(m.slot[0]));
	trace_unmap(m.next, trace->n * sizeof(m.next[0]));
	trace_unmap(m.gone, s->n * sizeof(m.gone[0]));
	trace_unmap(m.window, s->n * sizeof(m.window[0]));
}
