/* SPDX-License-Identifier: MIT */
/* Slots, tickets, parking and drains of one engine, without the worker. */
#include "fault.h"

#include <pthread.h>

/* Objects that are not at home when everything else has been brought there. */
static uint64_t live(struct bma__engine *e)
{
	uint64_t n;

	cr_assert_eq(bma__reclaim_engine(e, &n), 0);
	return n;
}

static void *take(struct bma__engine *e)
{
	void *p = bma__slot_alloc(e);
	uintptr_t word;

	if (p)
		return p;
	word = bma__refill_magazine(e, 0);
	cr_assert_neq(word, 0);
	return bma__slot_alloc_from(e, word);
}

Test(slot, objects_are_distinct_and_all_come_home)
{
	enum { N = 5000 };
	static const uint32_t batches[] = {1, 2, 6, 30, 126, 510};

	for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
		struct bma__engine *e = engine(64, batches[b]);
		static void *p[N];

		cr_assert_geq(e->capacity, batches[b]);
		for (int i = 0; i < N; i++) {
			p[i] = take(e);
			*(int *)p[i] = i;
		}
		for (int i = 0; i < N; i++)
			cr_assert_eq(*(int *)p[i], i);
		for (int i = 0; i < N; i++)
			bma__slot_free(e, p[i]);
		cr_assert_eq(live(e), 0, "batch %u", batches[b]);
		cr_assert_eq(e->nslabs, 0);
		bma__engine_free(e);
	}
}

Test(slot, the_tape_serves_before_the_depot)
{
	struct bma__engine *e = engine(64, 30);
	void *p[60];
	uint64_t before;

	for (int i = 0; i < 60; i++)
		p[i] = take(e);
	for (int i = 0; i < 60; i++)
		bma__slot_free(e, p[i]);
	before = bma__depot_exchanges(e->depot);
	for (int round = 0; round < 1000; round++) {
		for (int i = 0; i < 60; i++)
			p[i] = take(e);
		for (int i = 0; i < 60; i++)
			bma__slot_free(e, p[i]);
	}
	cr_assert_leq(bma__depot_exchanges(e->depot) - before, 100, "%llu",
		      (unsigned long long)(bma__depot_exchanges(e->depot) - before));
}

Test(slot, grows_when_traffic_turns_round_and_not_otherwise)
{
	enum { N = 1000 };
	struct bma__engine *e = engine(64, 30);
	static void *p[N];
	uint64_t before;
	uint32_t plane = bma__plane_home();

	for (int i = 0; i < N; i++)
		p[i] = take(e);
	cr_assert_leq(bma__slot_high(e, plane), 90, "one way does not grow it");
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < N; i++)
			bma__slot_free(e, p[i]);
		for (int i = 0; i < N; i++)
			p[i] = take(e);
	}
	before = bma__depot_exchanges(e->depot);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < N; i++)
			bma__slot_free(e, p[i]);
		for (int i = 0; i < N; i++)
			p[i] = take(e);
	}
	cr_assert_leq(bma__depot_exchanges(e->depot) - before, 2 * 50 * N / 40);
}

Test(slot, a_frozen_slot_is_passed_by)
{
	struct bma__engine *e = engine(64, 6);
	struct bma__slot *s;
	void *p[100];

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	for (uint32_t plane = 0; plane < bma__cpu.slots; plane++)
		atomic_store(&bma__slot_at(e, plane)->freeze, 1);
	for (int i = 0; i < 100; i++)
		p[i] = take(e);
	for (int i = 0; i < 100; i++)
		bma__slot_free(e, p[i]);
	for (uint32_t plane = 0; plane < bma__cpu.slots; plane++) {
		s = bma__slot_at(e, plane);
		cr_assert_eq(atomic_load(&s->loaded), 0);
		atomic_store(&s->freeze, 0);
	}
	cr_assert_eq(live(e), 0);
}

Test(slot, an_owned_guest_slot_is_passed_by)
{
	struct bma__engine *e;
	void *p[300];

	bma__env_parse("rseq:off,worker:off");
	e = engine(64, 6);
	bma__cpu.mode = BMA_MODE_GUEST;
	for (uint32_t g = 0; g < bma__cpu.guests; g += 2)
		atomic_store(&bma__slot_at(e, bma__cpu.slots + g)->owner, 1);
	for (int i = 0; i < 300; i++)
		p[i] = take(e);
	for (uint32_t g = 1; g < bma__cpu.guests; g += 2)
		atomic_store(&bma__slot_at(e, bma__cpu.slots + g)->owner, 1);
	for (int i = 0; i < 300; i++)
		bma__slot_free(e, p[i]);
	for (uint32_t g = 0; g < bma__cpu.guests; g++)
		atomic_store(&bma__slot_at(e, bma__cpu.slots + g)->owner, 0);
	cr_assert_eq(live(e), 0);
}

/* Take every magazine away, as a burst of frees would find it. */
static uint32_t hide_magazines(uint32_t class, uintptr_t *words)
{
	uint32_t n = 0;

	while ((words[n] = bma__mag_new(class)))
		n++;
	return n;
}

Test(park, a_free_without_magazines_is_collected)
{
	enum { N = 400 };
	struct bma__engine *e = engine(64, 126);
	static uintptr_t words[1 << 16];
	static void *p[N];
	uint32_t n, got = 0;

	for (int i = 0; i < N; i++)
		p[i] = take(e);
	n = hide_magazines(e->class, words);
	while ((words[n] = bma__stack_pop(&e->depot[0].empty, e->class)))
		n++;
	for (int i = 0; i < N; i++)
		bma__slot_free(e, p[i]);
	cr_assert_gt(bma__park_count(e), 0, "some found no magazine");
	while (n)
		bma__mag_release(e->class, words[--n]);
	bma__park_collect(e);
	cr_assert_eq(bma__park_count(e), 0);
	cr_assert_gt(bma__count_read(&e->limbo), 0, "they wait for a grace period");
	bma__defer_wait(e->flavor);
	cr_assert_eq(bma__count_read(&e->limbo), 0);
	while (got < N && bma__slot_alloc(e))
		got++;
	cr_assert_eq(got, N);
}

/*
 * A thread that is stopped for ever right after it has set the bit, before it could wake anybody: the worker
 * finds the object all the same, without any further call.
 */
Test(park, a_stopped_thread_strands_nothing, .timeout = 20)
{
	struct bma__engine *e = engine(64, 6);
	void *p = take(e);

	bma__env.worker = true;
	bma__worker_start();
	bma__defer_start(e->flavor);
	bma__os_sleep(50000000); /* the worker sleeps */
	bma__count_raise(&e->parks, 1);
	cr_assert_eq(bma__slab_park(bma__chunk_slab(p), p), BMA__SLAB_OK);
	while (bma__park_count(e) || bma__count_read(&e->limbo))
		bma__os_sleep(1000000);
	cr_assert_eq(live(e), 0);
}

Test(park, misuse_aborts, .signal = SIGABRT)
{
	struct bma__engine *e = engine(64, 6);
	void *p = take(e);

	bma__park(e, p, "test");
	bma__park(e, p, "test");
}

Test(drain, a_double_free_aborts, .signal = SIGABRT)
{
	struct bma__engine *e = engine(64, 6);
	void *p = take(e);

	bma__slot_free(e, p);
	bma__slot_free(e, p);
	live(e);
}

Test(drain, a_foreign_pointer_aborts, .signal = SIGABRT)
{
	struct bma__engine *e = engine(64, 6);
	static long foreign[8];

	bma__slot_free(e, foreign);
	live(e);
}

static int failing_fence(int cmd)
{
	(void)cmd;
	return -12;
}

Test(drain, a_fence_that_fails_loses_nothing)
{
	struct bma__engine *e = engine(64, 6);
	struct bma__mag_stack out = {0};
	void *p[20];

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	for (int i = 0; i < 20; i++)
		p[i] = take(e);
	for (int i = 0; i < 20; i++)
		bma__slot_free(e, p[i]);
	bma__os.membarrier = failing_fence;
	bma__lock_take(&bma__drain_lock);
	cr_assert_eq(bma__drain_slots(e, NULL, &out), -12);
	bma__lock_drop(&bma__drain_lock);
	cr_assert_eq((uint32_t)out.head, 0);
	bma__os.membarrier = bma__os_real.membarrier;
	cr_assert_eq(live(e), 0);
}

static int calls_until_failure;

static int second_fence_fails(int cmd)
{
	return calls_until_failure-- > 0 ? bma__os_real.membarrier(cmd) : -12;
}

Test(drain, a_second_fence_that_fails_puts_the_magazine_back)
{
	struct bma__engine *e = engine(64, 6);
	struct bma__mag_stack out = {0};
	struct bma__slot *s;
	uintptr_t word;
	void *p;

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	p = take(e);
	bma__slot_free(e, p);
	s = bma__slot_at(e, bma__plane_next(e, 0));
	word = atomic_load(&s->loaded);
	cr_assert_neq(word, 0);
	calls_until_failure = 1;
	bma__os.membarrier = second_fence_fails;
	bma__lock_take(&bma__drain_lock);
	cr_assert_eq(bma__drain_slots(e, NULL, &out), -12);
	bma__lock_drop(&bma__drain_lock);
	cr_assert_eq(atomic_load(&s->loaded), word);
	cr_assert_eq(atomic_load(&s->freeze), 0);
	bma__os.membarrier = bma__os_real.membarrier;
	while ((uint32_t)out.head)
		bma__depot_put_empty(e, bma__stack_pop(&out, e->class));
	cr_assert_eq(live(e), 0);
}

/* A ticket that stays open is waited for, also while others open and close. */
static struct bma__engine *ticketed;
static _Atomic int stop;

static void *others(void *unused)
{
	(void)unused;
	while (!stop) {
		struct bma__ticket t = bma__ticket_open(ticketed);

		bma__ticket_close(&t);
	}
	return NULL;
}

Test(ticket, an_old_one_is_not_hidden_by_new_ones)
{
	struct bma__ticket old;
	pthread_t t;

	ticketed = engine(64, 6);
	old = bma__ticket_open(ticketed);
	pthread_create(&t, NULL, others, NULL);
	bma__lock_take(&bma__drain_lock);
	cr_assert(!bma__ticket_wait(ticketed, 50000000));
	bma__ticket_close(&old);
	cr_assert(bma__ticket_wait(ticketed, 10000000000u));
	bma__lock_drop(&bma__drain_lock);
	stop = 1;
	pthread_join(t, NULL);
}
