/* SPDX-License-Identifier: MIT */
/* Drains of many slots at once, and of chosen ones. Slots of CPUs that are not there are filled by hand. */
#include "fault.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>

#define BATCH 256

static long mask_bytes; /* of the kernel's CPU mask; 0: as it is */

/* In the place of the C library's. It reads as many arguments as a call may have, not as many as there are. */
__attribute__((no_sanitize("address"))) long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (!real)
		real = (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
	if (number == SYS_sched_getaffinity && mask_bytes)
		return mask_bytes;
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int fences, fail_at;	  /* which fence fails; 0: none */
static void (*at_fence)(int nth); /* what others do just before it */

static int fence(int cmd)
{
	fences++;
	if (at_fence)
		at_fence(fences);
	return fences == fail_at ? -12 : bma__os_real.membarrier(cmd);
}

static void watch_fences(int failing, void (*then)(int nth))
{
	fences = 0;
	fail_at = failing;
	at_fence = then;
	bma__os.membarrier = fence;
}

static uint32_t indices(void)
{
	return bma__cpu.slots < 64 ? bma__cpu.slots : 64;
}

/* A magazine with @n objects alone on the tape of @plane. */
static uintptr_t fill(struct bma__engine *e, uint32_t plane)
{
	uintptr_t word = bma__refill_magazine(e, 0);

	cr_assert_neq(word, 0);
	*bma__mag_links(bma__mag_base(e->class, word)) = (struct bma__mag_links){0};
	bma__plane_use(e, plane);
	atomic_store(&bma__slot_at(e, plane)->loaded, word);
	return word;
}

static uintptr_t loaded(struct bma__engine *e, uint32_t plane)
{
	return atomic_load(&bma__slot_at(e, plane)->loaded);
}

static int drain(struct bma__engine *e, const uint64_t *chosen, struct bma__mag_stack *out)
{
	int rc;

	bma__lock_take(&bma__drain_lock);
	rc = bma__drain_slots(e, chosen, out);
	bma__lock_drop(&bma__drain_lock);
	return rc;
}

/* Brings what a drain took home. Returns a bitmap of the planes that it came from, the first 64. */
static uint64_t came_from(struct bma__engine *e, struct bma__mag_stack *out)
{
	uint64_t planes = 0;
	uintptr_t word;

	while ((word = bma__stack_pop(out, e->class))) {
		uintptr_t plane = *bma__mag_plane(bma__mag_base(e->class, word));

		planes |= plane < 64 ? 1ull << plane : 0;
		if (bma__mag_count(e->class, word))
			bma__drain_magazine(e, BMA__NODE_ANY, word);
		else
			bma__mag_release(e->class, word);
	}
	return planes;
}

static void all_home(struct bma__engine *e)
{
	uint64_t n;

	bma__os.membarrier = bma__os_real.membarrier;
	cr_assert_eq(bma__reclaim_engine(e, &n), 0);
	cr_assert_eq(n, 0);
	bma__engine_free(e);
}

Test(drain, all_slots_cost_two_fences)
{
	struct bma__engine *e = engine(64, 6);
	struct bma__mag_stack out = {0};

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	for (uint32_t plane = 0; plane < indices(); plane++)
		fill(e, plane);
	watch_fences(0, NULL);
	cr_assert_eq(drain(e, NULL, &out), 0);
	cr_assert_eq(fences, 2);
	for (uint32_t plane = 0; plane < indices(); plane++) {
		struct bma__slot *s = bma__slot_at(e, plane);

		cr_assert_eq(loaded(e, plane), 0);
		cr_assert_eq(atomic_load(&s->freeze), 0);
		cr_assert_neq(atomic_load(&s->gen), 0, "what was worked out before fails");
	}
	cr_assert_eq(came_from(e, &out), indices() == 64 ? UINT64_MAX : (1ull << indices()) - 1);
	all_home(e);
}

Test(drain, only_chosen_slots)
{
	static uint64_t chosen[200];
	struct bma__engine *e = engine(64, 6);
	struct bma__mag_stack out = {0};
	uint32_t guest = bma__cpu.slots;
	uintptr_t words[64];

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	for (uint32_t plane = 0; plane < indices(); plane++)
		words[plane] = fill(e, plane);
	fill(e, guest);
	fill(e, guest + 1);
	chosen[0] = 0xa;
	chosen[guest / 64] |= 1ull << guest % 64;
	watch_fences(0, NULL);
	cr_assert_eq(drain(e, chosen, &out), 0);
	cr_assert_eq(fences, 2);
	for (uint32_t plane = 0; plane < indices(); plane++)
		cr_assert_eq(loaded(e, plane), chosen[0] >> plane & 1 ? 0 : words[plane]);
	cr_assert_eq(loaded(e, guest), 0);
	cr_assert_neq(loaded(e, guest + 1), 0);
	came_from(e, &out);
	all_home(e);
}

static struct bma__engine *busy;
static uintptr_t busy_word;
static int busy_until;

/* The hot calls of one slot always store in between. */
static void stays_busy(int nth)
{
	if (nth > 1 && nth <= busy_until)
		atomic_store(&bma__slot_at(busy, 1)->loaded, busy_word);
}

Test(drain, a_slot_in_use_is_tried_again_and_then_left)
{
	static const int until[] = {2, 8, 9};
	struct bma__mag_stack out = {0};

	for (int i = 0; i < 3; i++) {
		bool left = until[i] == 9;

		busy = engine(64, 6);
		if (bma__cpu.mode == BMA_MODE_GUEST)
			return;
		fill(busy, 0);
		busy_word = fill(busy, 1);
		busy_until = until[i];
		watch_fences(0, stays_busy);
		cr_assert_eq(drain(busy, NULL, &out), 0);
		cr_assert_eq(fences, left ? 9 : until[i] + 1);
		cr_assert_eq(loaded(busy, 0), 0);
		cr_assert_eq(loaded(busy, 1), left ? busy_word : 0);
		cr_assert_eq(atomic_load(&bma__slot_at(busy, 1)->freeze), 0);
		cr_assert_eq(came_from(busy, &out), left ? 1 : 3);
		all_home(busy);
	}
}

/* What the first try took stays taken; what the second one took goes back. */
Test(drain, a_later_fence_that_fails)
{
	struct bma__mag_stack out = {0};

	busy = engine(64, 6);
	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	fill(busy, 0);
	busy_word = fill(busy, 1);
	busy_until = 2;
	watch_fences(3, stays_busy);
	cr_assert_eq(drain(busy, NULL, &out), -12);
	cr_assert_eq(fences, 3);
	cr_assert_eq(loaded(busy, 0), 0);
	cr_assert_eq(loaded(busy, 1), busy_word);
	cr_assert_eq(came_from(busy, &out), 1);
	all_home(busy);
}

/* More slots than one batch has; planes that are not in use cost nothing. */
Test(drain, more_than_a_batch)
{
	struct bma__engine *e;
	struct bma__mag_stack out = {0};
	uint32_t n;

	mask_bytes = 2 * BATCH / 8 + 8;
	e = engine(64, 6);
	n = bma__cpu.slots;
	cr_assert_eq(n, 2 * BATCH + 64);
	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	for (uint32_t plane = 0; plane < n; plane++)
		fill(e, plane);
	watch_fences(0, NULL);
	cr_assert_eq(drain(e, NULL, &out), 0);
	cr_assert_eq(fences, 2 * 3);
	for (uint32_t plane = 0; plane < n; plane++)
		cr_assert_eq(loaded(e, plane), 0);
	came_from(e, &out);
	all_home(e);
}

/* Between the wish and the worker's hand in the depot somebody gave all back. */
Test(drain, stock_that_was_asked_for_before_is_not_carved)
{
	struct bma__engine *e = engine(64, 6);
	uint32_t before = e->drained;

	bma__worker_kick(e);
	cr_assert(e->wants);
	cr_assert_eq(bma__reclaim_drain(e, UINT64_MAX, NULL), 0);
	bma__refill_service(e, true, before);
	cr_assert_eq(bma__depot_depth(&e->depot[0]), 0);
	bma__refill_service(e, true, e->drained);
	cr_assert_gt(bma__depot_depth(&e->depot[0]), 0);
	all_home(e);
}
