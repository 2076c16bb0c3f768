/* SPDX-License-Identifier: MIT */
/*
 * Charges that are interrupted before each of their instructions, by single steps of the processor: by a handler that charges too, and by one that does what
 * another thread would that lowers max.
 */
#include "group.h"

#if defined(__x86_64__)
#include <signal.h>
#include <ucontext.h>

#define TRAP_FLAG 0x100

static struct bma_group *leaf, *middle;
static int here, steps; /* the step at which something happens; steps so far */
static void (*happens)(void);

static void on_step(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info, (void)context;
	if (steps++ == here)
		happens();
}

/* Behind the red zone; the handler's return sets the flags as they were. */
static inline void stepping(bool on)
{
	if (on)
		__asm__ __volatile__(
			"lea -128(%%rsp), %%rsp\n\tpushfq\n\torq %0, (%%rsp)\n\tpopfq\n\t"
			"lea 128(%%rsp), %%rsp" ::"i"(TRAP_FLAG)
			: "cc", "memory");
	else
		__asm__ __volatile__(
			"lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq %0, (%%rsp)\n\tpopfq\n\t"
			"lea 128(%%rsp), %%rsp" ::"i"(~TRAP_FLAG)
			: "cc", "memory");
}

static void begin(void)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO};

	sa.sa_sigaction = on_step;
	sigaction(SIGTRAP, &sa, NULL);
	middle = make(NULL, "middle");
	leaf = make(middle, "leaf");
}

/* Run @what with what happens at each step in turn, until it ends before that; @before and @after each time. Returns how many steps it has. */
static int at_each_step(void (*what)(void), void (*then)(void), void (*before)(void),
			void (*after)(void))
{
	happens = then;
	for (here = 0;; here++) {
		before();
		steps = 0;
		stepping(true);
		what();
		stepping(false);
		if (steps <= here)
			return here;
		after();
	}
}

static struct bma__group *in_leaf, *in_middle;
static int rc;
static uint64_t seen;

static void look_up(void)
{
	in_leaf = in(leaf);
	in_middle = in(middle);
}

static void charge_five(void)
{
	rc = bma__group_charge(in_leaf, 5, NULL);
}

static void uncharge_five(void)
{
	bma__group_uncharge(in_leaf, 5);
}

static uint64_t usage(const struct bma__group *g)
{
	return atomic_load(&g->usage);
}

static void empty(void)
{
	atomic_store(&in_middle->max, BMA_GROUP_NO_LIMIT);
	for (struct bma__group *g = in_leaf; g; g = g->parent)
		bma__group_uncharge(g, 0), atomic_store(&g->usage, 0);
}

/* As bma_group_set() does in another thread. */
static void lower(void)
{
	atomic_store(&in_middle->max, 4);
	seen = usage(in_middle);
}

static void held(void)
{
	if (seen <= 4)
		cr_assert_leq(usage(in_middle), 4, "step %d", here);
	cr_assert_eq(usage(in_middle), rc ? 0 : 5, "step %d", here);
	cr_assert_eq(usage(in_leaf), usage(in_middle));
	cr_assert_eq(usage(bma__group_root), usage(in_middle));
}

Test(group_step, a_max_that_is_lowered_meanwhile)
{
	begin();
	look_up();
	cr_assert_gt(at_each_step(charge_five, lower, empty, held), 30);
}

/* High, a threshold and a peak in each group, so that all ways are gone. */
static void busy(void)
{
	struct bma__group *way[] = {in_leaf, in_middle};

	empty();
	for (int i = 0; i < 2; i++) {
		atomic_store(&way[i]->high, 2);
		atomic_store(&way[i]->notify_high, 3);
		atomic_store(&way[i]->notify_low, 2);
		atomic_store(&way[i]->peak, 0);
	}
	bma__group_charge(in_leaf, 5, NULL);
}

static void charge_three(void)
{
	cr_assert_eq(bma__group_charge(in_leaf, 3, NULL), 0);
}

static void thirteen(void)
{
	cr_assert_eq(rc, 0);
	for (struct bma__group *g = in_leaf; g; g = g->parent)
		cr_assert_eq(usage(g), 13, "step %d", here);
	cr_assert_eq(atomic_load(&in_leaf->peak), 13);
	cr_assert_eq(atomic_load(&in_middle->peak), 13);
	cr_assert_eq(atomic_load(&in_leaf->notify_top), 13);
}

Test(group_step, a_charge_within_a_charge)
{
	begin();
	look_up();
	cr_assert_gt(at_each_step(charge_five, charge_three, busy, thirteen), 60);
}

static void three(void)
{
	for (struct bma__group *g = in_leaf; g; g = g->parent)
		cr_assert_eq(usage(g), 3, "step %d", here);
}

Test(group_step, a_charge_within_an_uncharge)
{
	begin();
	look_up();
	cr_assert_gt(at_each_step(uncharge_five, charge_three, busy, three), 20);
}

/* Work that is asked for while it is asked for, or taken, is not lost. */
static uint32_t got;

static void take_all(void)
{
	uint32_t work;

	while (bma__group_take_work(&work))
		got |= work;
}

static void want_reclaim(void)
{
	bma__group_want(in_leaf, BMA__GROUP_WORK_RECLAIM);
}

static void want_notify(void)
{
	bma__group_want(in_leaf, BMA__GROUP_WORK_NOTIFY);
}

static void none(void)
{
	take_all();
	got = 0;
}

static void one(void)
{
	none();
	want_notify();
}

static void both(void)
{
	take_all();
	cr_assert_eq(got, BMA__GROUP_WORK_RECLAIM | BMA__GROUP_WORK_NOTIFY, "step %d", here);
}

Test(group_step, work)
{
	begin();
	look_up();
	cr_assert_gt(at_each_step(want_reclaim, want_notify, none, both), 10);
	cr_assert_gt(at_each_step(take_all, want_reclaim, one, both), 10);
	cr_assert_gt(at_each_step(want_reclaim, take_all, one, both), 10);
}
#else
Test(group_step, another_processor, .disabled = true)
{
}
#endif
