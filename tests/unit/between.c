/* SPDX-License-Identifier: MIT */
/*
 * What may happen in the middle of a call, at places that a race would have to hit: in a hook of the fence, and
 * in the handler of a fault on a page that the call is about to use.
 */
#include "cache/cache.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

static struct bma__engine *engine(size_t size, uint32_t batch)
{
	struct bma__engine_attr a = {.name = "between", .size = size, .align = 16, .batch = batch};
	struct bma__engine *e;
	int rc;

	bma__env_parse("worker:off");
	cr_assert_eq(bma__engine_init(), 0);
	e = bma__engine_create(&a, &rc);
	cr_assert_not_null(e);
	return e;
}

static void fill_slot(struct bma__engine *e, int n)
{
	void *p[64];

	for (int i = 0; i < n; i++) {
		p[i] = bma__slot_alloc(e);
		cr_assert_not_null(p[i]);
	}
	while (n)
		bma__slot_free(e, p[--n]);
}

static int drain(struct bma__engine *e, struct bma__mag_stack *out)
{
	int rc;

	bma__lock_take(&bma__drain_lock);
	rc = bma__drain_slots(e, out);
	bma__lock_drop(&bma__drain_lock);
	return rc;
}

static void send_home(struct bma__engine *e, struct bma__mag_stack *out)
{
	uintptr_t word;

	while ((word = bma__stack_pop(out, e->class))) {
		if (bma__mag_count(e->class, word))
			bma__drain_magazine(e, word);
		else
			bma__mag_release(e->class, word);
	}
}

static struct bma__slot *watched;
static uintptr_t word_before, seen_loaded[4], late_store;
static uint32_t seen_freeze[4];
static int fences;

static int watching_fence(int cmd)
{
	if (fences < 4) {
		seen_loaded[fences] = atomic_load(&watched->loaded);
		seen_freeze[fences] = atomic_load(&watched->freeze);
	}
	/* A hot call that had read the old word commits after the exchange, before the fence. */
	if (++fences == 2 && late_store)
		atomic_store(&watched->loaded, late_store);
	return bma__os_real.membarrier(cmd);
}

static struct bma__engine *watch(void)
{
	struct bma__engine *e = engine(64, 30);

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return NULL;
	fill_slot(e, 10);
	watched = bma__slot_at(e, bma__plane_next(e, 0));
	word_before = atomic_load(&watched->loaded);
	cr_assert_geq(bma__mag_count(e->class, word_before), 2);
	bma__os.membarrier = watching_fence;
	return e;
}

Test(between, a_drain_freezes_fences_exchanges_fences)
{
	struct bma__engine *e = watch();
	struct bma__mag_stack out = {0};
	uint32_t gen;

	if (!e)
		return;
	gen = atomic_load(&watched->gen);
	cr_assert_eq(drain(e, &out), 0);
	cr_assert_eq(fences, 2);
	cr_assert_eq(seen_freeze[0], 1);
	cr_assert_eq(seen_loaded[0], word_before, "taken before the first fence");
	cr_assert_eq(seen_freeze[1], 1);
	cr_assert_eq(seen_loaded[1], 0);
	cr_assert_neq(atomic_load(&watched->gen), gen, "an older change would still commit");
	cr_assert_eq(atomic_load(&watched->freeze), 0);
	send_home(e, &out);
}

Test(between, a_store_after_the_exchange_wins)
{
	struct bma__engine *e = watch();
	struct bma__mag_stack out = {0};
	uint64_t away;
	void *popped;

	if (!e)
		return;
	popped = *(void **)word_before;
	late_store = word_before - 8;
	cr_assert_eq(drain(e, &out), 0);
	cr_assert_eq(fences, 3, "tried again");
	cr_assert_eq(atomic_load(&watched->loaded), 0);
	send_home(e, &out);
	cr_assert_eq(bma__reclaim_drain(e, 0, &away), 0);
	cr_assert_eq(away, 1, "the object that was popped is out, and nothing else");
	bma__slot_free(e, popped);
	cr_assert_eq(bma__reclaim_engine(e, &away), 0);
	cr_assert_eq(away, 0);
}

/* A page that faults once; then @at_fault runs, in the middle of whoever touched it. */
static char *fault_page;
static size_t fault_bytes;
static void (*at_fault)(void);
static int faults;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	char *at = info->si_addr;

	(void)sig, (void)context;
	if (at < fault_page || at >= fault_page + fault_bytes)
		abort();
	mprotect(fault_page, fault_bytes, PROT_READ | PROT_WRITE);
	faults++;
	at_fault();
}

static void arm_fault(void *page, size_t bytes, int allowed, void (*then)(void))
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &sa, NULL);
	fault_page = page;
	fault_bytes = bytes;
	at_fault = then;
	cr_assert_eq(mprotect(page, bytes, allowed), 0);
}

static struct bma__engine *ticketed;
static bool all_closed;

static void look_at_tickets(void)
{
	all_closed = bma__ticket_wait(ticketed, 0);
}

/* One magazine in the depot, on a page that nobody needs meanwhile: a segment's first holds its number. */
static uintptr_t only_magazine(struct bma__engine *e)
{
	uintptr_t word;

	while (bma__depot_get(e))
		;
	do
		word = bma__refill_magazine(e, 0);
	while (word % BMA__MAG_SEGMENT_SIZE < BMA_PAGE);
	bma__depot_put(e, word);
	return word & ~(BMA_PAGE - 1);
}

/* The call writes a link of the magazine that it has just taken from the depot. */
Test(between, a_magazine_in_hand_is_under_a_ticket)
{
	struct bma__engine *e = engine(64, 126);

	ticketed = e;
	arm_fault((void *)only_magazine(e), BMA_PAGE, PROT_NONE, look_at_tickets);
	cr_assert_not_null(bma__slot_alloc(e));
	cr_assert_eq(faults, 1);
	cr_assert(!all_closed);
}

static uintptr_t early;

static void take_fresh(void)
{
	early = bma__mag_new(4);
}

static int no_unmap(void *addr, size_t bytes)
{
	(void)addr, (void)bytes;
	return 0;
}

/* bma__os_map_aligned() cuts what it maps: here it gets an aligned piece at the first try. */
static void *map_aligned(size_t bytes)
{
	uintptr_t p = (uintptr_t)bma__os_real.map(bytes + BMA__MAG_SEGMENT_SIZE);

	p = bma__align_up(p, BMA__MAG_SEGMENT_SIZE);
	arm_fault((void *)p, BMA_PAGE, PROT_NONE, take_fresh);
	return (void *)p;
}

Test(between, nobody_sees_a_segment_before_it_is_ready)
{
	uintptr_t word;

	bma__os.map = map_aligned;
	bma__os.unmap = no_unmap;
	cr_assert_eq(bma__mag_promise(4, 1), 0);
	cr_assert_eq(faults, 1);
	cr_assert_eq(early, 0, "a magazine of a segment that has no number yet");
	word = bma__mag_new(4);
	cr_assert_neq(word, 0);
	cr_assert_eq(bma__mag_at(4, bma__mag_index(4, word)), bma__mag_base(4, word));
}

static struct bma_reserve *reserve;
static size_t first_behind; /* entries from here on lie behind the fault */

static void refill_and_take(void)
{
	cr_assert_eq(bma__reserve_fill(reserve), 0);
	atomic_store(&reserve->cursor, first_behind);
	for (size_t i = first_behind; i < reserve->n; i++)
		cr_assert_not_null(bma__reserve_take(reserve));
	cr_assert_null(atomic_load(&reserve->entry[first_behind]));
}

/* Fewer than n were taken since the last complete refill, so there is one for who was on its way meanwhile. */
Test(between, a_refill_behind_a_takers_back_is_seen)
{
	enum { N = 3 * 4096 / sizeof(void *) };
	struct bma__engine *e = engine(64, 30);
	uintptr_t page;

	reserve = bma__reserve_create(e, N);
	cr_assert_not_null(reserve);
	for (int i = 0; i < N; i++)
		cr_assert_not_null(bma__reserve_take(reserve));
	atomic_store(&reserve->cursor, 0);
	page = bma__align_up((uintptr_t)&reserve->entry[1], BMA_PAGE);
	first_behind = (page - (uintptr_t)&reserve->entry[0]) / sizeof(void *);
	arm_fault((void *)page, BMA_PAGE, PROT_NONE, refill_and_take);
	cr_assert_not_null(bma__reserve_take(reserve));
	cr_assert_eq(faults, 1);
}

#if BMA__RSEQ_BUILT
/* Loaded on one page, what stands behind it on the next. */
struct split {
	_Atomic uint64_t loaded, unused;
	_Atomic uint32_t freeze, gen;
};

static struct split *split;

static void change_split(void)
{
	atomic_store(&split->loaded, 77);
}

/* The store that commits faults: the sequence must be left, not gone on with. */
Test(between, an_interrupted_change_does_not_commit)
{
	char *pages = bma__os.map(2 * BMA_PAGE);
	bool done = true;

	bma__env_parse(NULL);
	bma__cpu_init();
	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	pages[0] = pages[BMA_PAGE] = 0;
	split = (struct split *)(pages + BMA_PAGE - 8);
	split->loaded = 5;
	arm_fault(pages, BMA_PAGE, PROT_READ, change_split);
	for (int tries = 0; !faults && tries < 1000; tries++)
		done = bma__rseq_change(bma__cpu.index, bma__rseq_read(bma__cpu.index), split,
					split->gen, 5, 6);
	cr_assert_eq(faults, 1);
	cr_assert(!done);
	cr_assert_eq(split->loaded, 77);
}
#endif

static struct bma_cache handle;
static void *nested[4];
static int nested_alloc;

static void use_in_handler(void)
{
	if (nested_alloc) {
		for (int i = 0; i < 4; i++)
			nested[i] = bma_cache_alloc(&handle);
	} else {
		for (int i = 0; i < 4; i++)
			bma_cache_free(&handle, nested[i]);
	}
}

/*
 * One call of each kind with @have objects in the slot; its commit faults, and the handler makes four calls on
 * the same cache. Nothing may be given out twice or lost.
 */
static void interrupted_commit(int have, bool alloc, bool handler_allocs)
{
	enum { N = 40 };
	struct bma__engine *e = engine(64, 6);
	void *p[N + 5], *obj;
	struct bma__slot *s;
	uint64_t away;
	int n = 0;

	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	handle = (struct bma_cache){e->head, e};
	nested_alloc = handler_allocs;
	for (; n < N; n++) {
		p[n] = bma_cache_alloc_flags(&handle, BMA_SLEEP);
		cr_assert_not_null(p[n]);
	}
	for (int i = 0; i < 4; i++)
		nested[i] = p[--n];
	for (int i = 0; i < have; i++)
		bma_cache_free(&handle, p[--n]);
	if (handler_allocs) {
		for (int i = 0; i < 4; i++)
			bma_cache_free(&handle, nested[i]);
	}
	faults = 0;
	s = bma__slot_at(e, bma__plane_next(e, 0));
	arm_fault((void *)((uintptr_t)s & ~(BMA_PAGE - 1)), BMA_PAGE, PROT_READ, use_in_handler);
	if (alloc) {
		obj = bma_cache_alloc(&handle);
		cr_assert_not_null(obj);
		p[n++] = obj;
	} else {
		bma_cache_free(&handle, p[--n]);
	}
	cr_assert_eq(faults, 1);
	for (int i = 0; handler_allocs && i < 4; i++) {
		cr_assert_not_null(nested[i]);
		p[n++] = nested[i];
	}
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < i; k++)
			cr_assert_neq(p[i], p[k], "given out twice: %d and %d, %d in the slot", i,
				      k, have);
	}
	cr_assert_eq(bma__reclaim_drain(e, 0, &away), 0);
	cr_assert_eq(away, (uint64_t)n, "%d in the slot: %llu are out", have,
		     (unsigned long long)away);
	while (n)
		bma_cache_free(&handle, p[--n]);
	cr_assert_eq(bma__reclaim_engine(e, &away), 0);
	cr_assert_eq(away, 0);
	bma__engine_free(e);
}

/* Magazines of 6: the numbers bring every place of a magazine and both kinds of step. */
Test(between, an_interrupted_call_does_not_commit)
{
	for (int have = 5; have < 24; have++) {
		for (int kind = 0; kind < 4; kind++)
			interrupted_commit(have, kind & 1, kind & 2);
	}
}

Test(between, a_drain_brings_every_magazine_home, .timeout = 60)
{
	enum { BATCH = 510, N = 3 * BATCH, ROUNDS = 400 };
	struct bma__engine *e = engine(8, BATCH);
	uint64_t away, before = 0;
	static void *p[N];

	handle = (struct bma_cache){e->head, e};
	for (int round = 0; round < ROUNDS; round++) {
		for (int turn = 0; turn < 2; turn++) {
			for (int i = 0; i < N; i++)
				p[i] = bma_cache_alloc_flags(&handle, BMA_SLEEP);
			/* The tape stands full on the left or empty on the right. */
			if (turn)
				cr_assert_eq(bma__reclaim_drain(e, 0, &away), 0);
			for (int i = 0; i < N; i++)
				bma_cache_free(&handle, p[i]);
		}
		cr_assert_eq(bma__reclaim_drain(e, 0, &away), 0);
		cr_assert_eq(away, 0);
		bma__defer_flush();
		if (round == 3)
			before = bma__mag_bytes();
	}
	cr_assert_eq(bma__mag_bytes(), before);
}

Test(between, a_refused_destroy_leaves_a_cache_that_is_refilled)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 1);
	c = bma_cache_create(&a);
	cr_assert_not_null(bma_cache_alloc(c));
	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
	while (bma_cache_alloc(c))
		;
	cr_assert_gt(bma_poll(0), 0);
	cr_assert_not_null(bma_cache_alloc(c));
}
