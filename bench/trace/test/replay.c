/* SPDX-License-Identifier: MIT */
/*
 * Every thread of a replay does, in the same order, what it did in the trace, and nothing else; with
 * that, every object is given back once, by the right thread. What is too large is left out: an
 * object that a realloc makes so large is freed, one that it makes small again is allocated.
 */
#define REPLAY_HEAP "test/checked.h"
#include "../replay.h"

#include "made.h"

#define EVENTS 30000

static int bad;

static void expect(bool good, const char *what, size_t i)
{
	if (good || bad++ > 10)
		return;
	fprintf(stderr, "FAILED: %s, %zu\n", what, i);
}

/* What the heap should have been asked for by that event. False: nothing. */
static bool call_of(const struct trace *t, size_t i, struct checked_call *call)
{
	const struct trace_event *e = &t->events[i];

	memset(call, 0, sizeof(*call));
	if (trace_takes(e->kind) && t->events[e->object].size <= SCHEDULE_LARGE)
		call->taken = t->events[e->object].size;
	if (trace_makes(e->kind) && e->size <= SCHEDULE_LARGE)
		call->made = e->size;
	if (e->kind == TRACE_CALLOC)
		call->align = 1;
	if (e->kind == TRACE_ALIGNED)
		call->align = 1u << e->align;
	return call->taken || call->made;
}

static void compare(const struct trace *t)
{
	size_t at[CHECKED_THREADS] = {0};

	for (size_t i = 0; i < t->n; i++) {
		unsigned int thread = t->events[i].thread;
		struct checked_call call;

		if (call_of(t, i, &call))
			expect(at[thread] < checked[thread].n &&
				       !memcmp(&call, &checked[thread].calls[at[thread]++],
					       sizeof(call)),
			       "another call than that of event", i);
	}
	for (unsigned int i = 0; i < CHECKED_THREADS; i++)
		expect(at[i] == checked[i].n, "more calls than events, of thread", i);
}

static size_t live(void)
{
	size_t n = 0;

	for (size_t i = 0; i <= SCHEDULE_LARGE; i++)
		n += atomic_load(&checked_live[i]);
	return n;
}

static void run(size_t n, uint32_t seed)
{
	struct trace t;
	struct schedule plan;
	struct replay r;

	made_trace(&t, n, seed);
	schedule_make(&plan, &t);
	replay_init(&r, &plan);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < CHECKED_THREADS; i++)
			checked[i].n = 0;
		replay_run(&r);
		compare(&t);
		expect(live() == plan.n_left, "objects left over in pass", (size_t)pass);
		replay_clear(&r);
		expect(live() == 0, "objects left after clearing, pass", (size_t)pass);
	}
	trace_drop(&t);
}

int main(void)
{
	for (uint32_t seed = 1; seed <= 6; seed++)
		run(seed * EVENTS / 6, seed);
	return bad != 0;
}
