/* SPDX-License-Identifier: MIT */
/*
 * BMA's own heap behind the same calls: what it gives is aligned and zeroed as asked, moves with what is in it,
 * and replays against it run, with everything that they compare.
 */
#include "../replay.h"

#include "made.h"

#ifndef HEAP_ANY_SIZE
#error "this peer needs to be told which sizes are asked for"
#endif

#define EVENTS 20000

static void expect(bool good, const char *what, size_t i)
{
	if (good)
		return;
	fprintf(stderr, "FAILED: %s, %zu\n", what, i);
	exit(1);
}

static bool holds(const char *p, size_t n, char what)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != what)
			return false;
	}
	return true;
}

static void aligned(void)
{
	for (unsigned int shift = 0; shift <= SCHEDULE_ALIGN_LOG2; shift++) {
		for (size_t size = 1; size <= SCHEDULE_LARGE; size *= 3) {
			size_t align = (size_t)1 << shift;
			struct heap_object o;

			heap_aligned(&o, align, size);
			expect(!((uintptr_t)o.p % align), "aligned", align);
			memset(o.p, 1, size);
			heap_free(&o);
		}
	}
}

static void zeroed(void)
{
	struct heap_object o;

	for (size_t size = 1; size <= SCHEDULE_LARGE; size *= 3) {
		heap_alloc(&o, size);
		memset(o.p, 1, size);
		heap_free(&o);
		heap_calloc(&o, size);
		expect(holds(o.p, size, 0), "zeroed", size);
		heap_free(&o);
	}
}

static void moved(void)
{
	size_t size = 1;
	struct heap_object o;

	heap_alloc(&o, size);
	memset(o.p, 7, size);
	for (; size * 3 <= SCHEDULE_LARGE; size *= 3) {
		heap_realloc(&o, size, size * 3);
		expect(holds(o.p, size, 7), "is what it was, larger", size);
		memset(o.p, 7, size * 3);
	}
	for (; size > 1; size /= 3) {
		heap_realloc(&o, size, size / 3);
		expect(holds(o.p, size / 3, 7), "is what it was, smaller", size);
	}
	heap_free(&o);
}

int main(void)
{
	struct schedule plan;
	struct replay r;
	struct trace t;

	peer_init("");
	made_trace(&t, EVENTS, 7);
	schedule_make(&plan, &t);
	replay_init(&r, &plan);
	heap_init(&plan);
	aligned();
	zeroed();
	moved();
	for (int pass = 0; pass < 3; pass++) {
		replay_run(&r);
		replay_clear(&r);
	}
	expect(!bma_heap_destroy(heap_mine), "the heap goes", 0);
	trace_drop(&t);
	return 0;
}
