/* SPDX-License-Identifier: MIT */
/*
 * The heap that is made of BMA caches: its classes fit and waste little, what it gives is aligned
 * and zeroed as asked, and replays against it run, with everything that they compare.
 */
#include "../replay.h"

#include "made.h"

#define EVENTS 20000

static void expect(bool good, const char *what, size_t i)
{
	if (good)
		return;
	fprintf(stderr, "FAILED: %s, %zu\n", what, i);
	exit(1);
}

static void classes(void)
{
	uint32_t before = 0;

	for (size_t size = 1; size <= SCHEDULE_LARGE; size++) {
		uint32_t class = heap_class(size);

		expect(class == before || class == before + 1, "classes are in order", size);
		expect(class < HEAP_SIZES, "there is such a class", size);
		expect(size <= heap_class_size(class), "an object fits its class", size);
		expect(!class || size > heap_class_size(class - 1), "the smallest that fits", size);
		expect(size < 128 || (heap_class_size(class) - size) * 8 <= heap_class_size(class),
		       "an eighth is wasted at most", size);
		before = class;
	}
}

static void calls(void)
{
	for (unsigned int shift = 0; shift <= SCHEDULE_ALIGN_LOG2; shift++) {
		for (size_t size = 1; size <= SCHEDULE_LARGE; size *= 3) {
			size_t align = (size_t)1 << shift;
			struct heap_object o;

			if (!heap_pools[heap_class_aligned(align, size)])
				heap_pools[heap_class_aligned(align, size)] =
					heap_aligned_pool(heap_class_aligned(align, size));
			heap_aligned(&o, align, size);
			expect(!((uintptr_t)o.p % align), "aligned", align);
			memset(o.p, 1, size);
			heap_free(&o);
		}
	}
}

static void zeroed(void)
{
	struct schedule_op op = {.what = SCHEDULE_ALLOC | 100 << 9};
	struct heap_object o, other;

	heap_make_pool(op);
	heap_alloc(&o, 100);
	memset(o.p, 1, 100);
	heap_free(&o);
	heap_calloc(&other, 100);
	for (size_t i = 0; i < 100; i++)
		expect(!((char *)other.p)[i], "zeroed", i);
	expect(!((uintptr_t)other.p % 16), "aligned", 16);
	heap_free(&other);
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
	classes();
	calls();
	zeroed();
	for (int pass = 0; pass < 3; pass++) {
		replay_run(&r);
		replay_clear(&r);
	}
	for (uint32_t class = 0; class < HEAP_CLASSES; class ++)
		expect(!heap_pools[class] || !bma_cache_destroy(heap_pools[class]),
		       "a cache is empty at the end", class);
	trace_drop(&t);
	return 0;
}
