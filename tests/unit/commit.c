/* SPDX-License-Identifier: MIT */
/*
 * Sequences that are interrupted at their last instruction: the page of the slot is read-only, so the store that
 * commits faults. The kernel must find it inside the sequence and abort that.
 */
#include "fault.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

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
Test(commit, an_interrupted_change_does_not_commit)
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
					&split->loaded, &split->freeze, split->gen, 5, 6);
	cr_assert_eq(faults, 1);
	cr_assert(!done);
	cr_assert_eq(split->loaded, 77);
}

/*
 * The area then reads some concurrency id, which is somebody else's: let it be @index. Kernel and C library agree
 * on 32 bytes and up.
 */
static bool unregister(uint32_t index)
{
	if (syscall(SYS_rseq, bma__rseq_area(), 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG))
		return false;
	if (bma__cpu.mode == BMA_MODE_RSEQ_CID)
		*(volatile uint32_t *)(bma__rseq_area() + bma__cpu.index) = index;
	return true;
}

Test(commit, an_unregistered_thread_keeps_off_the_slots_of_others)
{
	struct bma__engine *e = engine(64, 30);
	struct bma_cache c = {.head = e->head, .engine = e};
	uintptr_t word;
	uint32_t index;
	void *p[20];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (bma__cpu.mode == BMA_MODE_GUEST || sched_setaffinity(0, sizeof one, &one))
		return;
	fill_slot(e, 20);
	index = bma__plane_next(e, 0);
	word = atomic_load(&bma__slot_at(e, index)->loaded);
	cr_assert_neq(word, 0);
	if (!unregister(index))
		return;
	for (int i = 0; i < 20; i++)
		p[i] = bma_cache_alloc(&c);
	cr_assert_eq(atomic_load(&bma__slot_at(e, index)->loaded), word, "it took another's");
	for (int i = 0; i < 20; i++)
		bma_cache_free(&c, p[i]);
	cr_assert_eq(atomic_load(&bma__slot_at(e, index)->loaded), word, "it gave to another");
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
	handle = (struct bma_cache){.head = e->head, .engine = e};
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
Test(commit, an_interrupted_call_does_not_commit)
{
	for (int have = 5; have < 24; have++) {
		for (int kind = 0; kind < 4; kind++)
			interrupted_commit(have, kind & 1, kind & 2);
	}
}
