/* SPDX-License-Identifier: MIT */
/* The budget of what slots may hold: one sum, exact at each step, whatever comes in between. */
#include "fault.h"

#include <bma/bma.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

/* What the limits of @n engines cost. */
static uint64_t cost_of(struct bma__engine *const *e, size_t n)
{
	uint64_t sum = 0;
	uint32_t plane;

	for (size_t i = 0; i < n; i++) {
		bma__plane_for_each (e[i], plane) {
			const struct bma__slot *s = bma__slot_at(e[i], plane);

			sum += (uint64_t)bma__budget_limit(s) * e[i]->capacity * e[i]->charge;
			cr_assert(bma__budget_limit(s) || !atomic_load(&s->loaded),
				  "a slot of limit 0 holds something");
		}
	}
	return sum;
}

static void is_exact(struct bma__engine *const *e, size_t n)
{
	cr_assert_eq(bma__budget_used(), cost_of(e, n), "%llu of %llu",
		     (unsigned long long)bma__budget_used(), (unsigned long long)cost_of(e, n));
	cr_assert_leq(bma__budget_used(), bma__budget_total());
}

static void start(const char *conf)
{
	bma__env_parse(conf);
	cr_assert_eq(bma__engine_init(), 0);
}

static struct bma__engine *make(const struct bma__engine_attr *attr)
{
	struct bma__engine_attr a = *attr;
	struct bma__engine *e;
	int rc;

	a.name = "budget";
	a.align = 16;
	a.flavor = bma__flavor_get(NULL);
	e = bma__engine_create(&a, &rc);
	cr_assert_not_null(e);
	return e;
}

static void *take(struct bma__engine *e)
{
	void *p = bma__slot_alloc(e);
	uintptr_t word = p ? 0 : bma__refill_magazine(e, 0);

	p = p ? p : bma__slot_alloc_from(e, word);
	cr_assert_not_null(p);
	return p;
}

/* The plane that has a limit, as the only one. */
static struct bma__slot *charged_slot(struct bma__engine *e)
{
	uint32_t plane;

	bma__plane_for_each (e, plane) {
		if (bma__budget_limit(bma__slot_at(e, plane)))
			return bma__slot_at(e, plane);
	}
	cr_assert_fail("no slot has a limit");
	return NULL;
}

static void all_home(struct bma__engine *e)
{
	uint64_t n;

	cr_assert_eq(bma__reclaim_engine(e, &n), 0);
	cr_assert_eq(n, 0);
	bma__engine_free(e);
}

Test(budget, grows_with_a_slot_and_ends_with_it)
{
	enum { N = 1000 };
	struct bma__engine *e;
	static void *p[N];

	start("worker:off,cache_budget:1");
	cr_assert_eq(bma__budget_total(), MIB);
	e = make(&(struct bma__engine_attr){.size = 64, .batch = 30});
	cr_assert_eq(bma__budget_used(), 0, "no slot was used");
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < N; i++) {
			p[i] = take(e);
			is_exact(&e, 1);
		}
		if (!round)
			cr_assert_leq(bma__budget_used(), 2 * 2 * 30 * 64, "one way");
		for (int i = 0; i < N; i++) {
			bma__slot_free(e, p[i]);
			is_exact(&e, 1);
		}
	}
	cr_assert_geq(atomic_load(&e->slot_grows), 4);
	cr_assert_geq(bma__budget_used(), N * 64);
	cr_assert_eq(atomic_load(&e->budget_refused), 0);
	all_home(e);
	cr_assert_eq(bma__budget_used(), 0);
}

/* An engine that is freed with slots that were never drained. */
Test(budget, an_engine_that_goes_gives_it_back)
{
	struct bma__engine *e;
	uint64_t n;

	start("worker:off,cache_budget:1");
	e = make(&(struct bma__engine_attr){.size = 64, .batch = 30});
	bma__slot_free(e, take(e));
	cr_assert_eq(bma__reclaim_engine(e, &n), 0);
	cr_assert_eq(bma__budget_used(), 0, "drained");
	bma__plane_use(e, 3);
	cr_assert(bma__budget_open(e, bma__slot_at(e, 3)));
	cr_assert_eq(bma__budget_used(), 2 * 30 * 64);
	bma__engine_free(e);
	cr_assert_eq(bma__budget_used(), 0);
}

/* Many engines, and slots of CPUs that are not there: threads are given each of the guest slots. */
Test(budget, many_engines_on_many_slots_stay_within)
{
	enum { ENGINES = 60, ROUNDS = 3, N = 40 };
	struct bma__engine *e[ENGINES];
	uint64_t refused = 0, ones = 0;
	void *p[N];

	start("worker:off,rseq:off,cache_budget:1");
	for (int i = 0; i < ENGINES; i++)
		e[i] = make(&(struct bma__engine_attr){.size = 1024, .batch = 30});
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < ENGINES; i++) {
			for (uint32_t g = 0; g < bma__cpu.guests; g++) {
				bma__fuzz_slot = g + 1;
				for (int k = 0; k < N; k++) {
					p[k] = take(e[i]);
					*(int *)p[k] = k;
				}
				for (int k = 0; k < N; k++)
					cr_assert_eq(*(int *)p[k], k, "handed out twice");
				for (int k = 0; k < N; k++)
					bma__slot_free(e[i], p[k]);
				is_exact(e, ENGINES);
			}
		}
	}
	bma__fuzz_slot = 0;
	for (int i = 0; i < ENGINES; i++) {
		uint32_t plane;

		refused += atomic_load(&e[i]->budget_refused);
		bma__plane_for_each (e[i], plane)
			ones += bma__budget_limit(bma__slot_at(e[i], plane)) == 1;
	}
	/* 30 KiB a magazine: 34 fit; those after three quarters get one each. */
	cr_assert_geq(bma__budget_used(), MIB - 30 * 1024);
	cr_assert_geq(ones, 6);
	cr_assert_geq(refused, ENGINES * bma__cpu.guests - 34);
	cr_assert(bma__budget_wanted());
	cr_assert(!bma__budget_wanted(), "since it was asked last");
	for (int i = 0; i < ENGINES; i++) {
		all_home(e[i]);
		is_exact(e + i + 1, ENGINES - (size_t)i - 1);
	}
	cr_assert_eq(bma__budget_used(), 0);
}

Test(budget, what_one_gives_back_another_gets)
{
	struct bma__mag_stack out = {0};
	struct bma__engine *e[2];
	struct bma__slot *s;

	start("worker:off,rseq:off,cache_budget:1");
	e[0] = make(&(struct bma__engine_attr){.size = 4096, .batch = 126, .high = 126 * 2});
	e[1] = make(&(struct bma__engine_attr){.size = 4096, .batch = 126});
	for (int i = 0; i < 2; i++)
		bma__slot_free(e[i], take(e[i]));
	is_exact(e, 2);
	cr_assert_eq(bma__budget_used(), 2 * 126 * 4096, "the second one found no room for any");
	s = bma__slot_at(e[1], bma__cpu.slots + bma__plane_guest_hash());
	cr_assert_eq(atomic_load(&s->loaded), 0);
	cr_assert_eq(atomic_load(&s->refused), 1);
	cr_assert_eq(atomic_load(&e[1]->budget_refused), 1, "once, however often it asks");
	bma__lock_take(&bma__drain_lock);
	cr_assert_eq(bma__drain_slots(e[0], NULL, &out), 0);
	bma__lock_drop(&bma__drain_lock);
	cr_assert_eq(bma__budget_used(), 0);
	for (uintptr_t word; (word = bma__stack_pop(&out, e[0]->class));)
		bma__drain_magazine(e[0], BMA__NODE_ANY, word);
	bma__slot_free(e[1], take(e[1]));
	cr_assert_eq(bma__budget_limit(s), 2);
	cr_assert_eq(atomic_load(&s->refused), 0);
	is_exact(e, 2);
}

Test(budget, high_is_the_most_and_less_will_do)
{
	struct bma__engine *e[2];

	start("worker:off,cache_budget:1");
	e[0] = make(&(struct bma__engine_attr){.size = 64, .batch = 30, .high = 300});
	e[1] = make(&(struct bma__engine_attr){.size = 4096, .batch = 126, .high = 126 * 8});
	bma__slot_free(e[0], take(e[0]));
	cr_assert_eq(bma__budget_used(), 300 * 64);
	bma__slot_free(e[1], take(e[1]));
	cr_assert_eq(bma__budget_limit(charged_slot(e[1])), 1, "all of it does not fit");
	is_exact(e, 2);
}

Test(budget, copies_count)
{
	struct bma__engine *e[2];

	start("worker:off,cache_budget:64");
	bma__percpu_init();
	e[0] = make(&(struct bma__engine_attr){
		.size = 64, .batch = 6, .flags = BMA_CACHE_PERCPU, .record = NULL});
	e[1] = make(&(struct bma__engine_attr){.size = 64, .batch = 6});
	for (int i = 0; i < 2; i++)
		bma__slot_free(e[i], take(e[i]));
	cr_assert_eq(bma__budget_used(), 2 * 6 * 64 * (bma__percpu.slots + 2));
	is_exact(e, 2);
}

static struct bma__engine *within;
static struct bma__slot *within_slot;
static bool grew;

static void open_here(void)
{
	bma__budget_open(within, within_slot);
}

static void grow_here(void)
{
	grew = bma__budget_grow(within, within_slot);
}

/* What a child of fork does, in this process. */
static void fork_here(void)
{
	bma__ticket_new_generation();
	bma__budget_fork_begin();
	cr_assert_eq(bma__budget_used(), bma__budget_total(), "who asks now is refused");
	bma__budget_fork_slot(within, within_slot);
	bma__budget_fork_end();
}

static void close_here(void)
{
	bma__budget_close(within, within_slot);
}

/*
 * Between the two words. The slot's page may be read and not written: so the change of a limit faults, after the charge and
 * before the change; the other way round for the page of the sum.
 */
Test(budget, a_handler_between_charge_and_limit)
{
	static void (*const call[])(void) = {open_here, grow_here, close_here};
	static void (*const inner[])(void) = {open_here, grow_here, close_here, fork_here};
	int run = 0;

	start("worker:off,cache_budget:1");
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 4; j++) {
			for (int limit = 0; limit < 3; limit++) {
				for (int sum = 0; sum < 2; sum++, run++) {
					void *page;

					within = make(&(struct bma__engine_attr){.size = 64,
										 .batch = 30});
					bma__plane_use(within, 3);
					within_slot = bma__slot_at(within, 3);
					if (limit)
						open_here();
					if (limit == 2)
						grow_here();
					page = sum ? (void *)&bma__budget_word : within_slot;
					page = (void *)((uintptr_t)page & ~(BMA_PAGE - 1));
					faults = 0;
					arm_fault(page, BMA_PAGE, PROT_READ, inner[j]);
					call[i]();
					mprotect(page, BMA_PAGE, PROT_READ | PROT_WRITE);
					is_exact(&within, 1);
					/* With a fork in between it is for the next call. */
					if (i == 0 && j < 2)
						cr_assert(bma__budget_limit(within_slot));
					cr_assert_eq(faults,
						     i == 0   ? !limit
						     : i == 1 ? (limit != 0)
							      : limit != 0,
						     "run %d: %d faults", run, faults);
					bma__engine_free(within);
					cr_assert_eq(bma__budget_used(), 0, "run %d", run);
				}
			}
		}
	}
	cr_assert_eq(run, 72);
}

static struct bma_cache *cache_of(size_t size)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "budget", .size = size};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static void work(struct bma_cache *c, int n)
{
	static void *p[4000];

	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < n; i++)
			cr_assert_not_null(p[i] = bma_cache_alloc_flags(c, BMA_SLEEP));
		for (int i = 0; i < n; i++)
			bma_cache_free(c, p[i]);
	}
}

/* Without Criterion, which wants no word from the children of a test. */
static bool exact(struct bma__engine *const *e)
{
	uint64_t sum = 0;
	uint32_t plane;

	for (int i = 0; i < 2; i++) {
		bma__plane_for_each (e[i], plane)
			sum += (uint64_t)bma__budget_limit(bma__slot_at(e[i], plane)) *
			       e[i]->capacity * e[i]->charge;
	}
	return sum == bma__budget_used();
}

/* A child of a child ... more often than there are generations. Returns the exit status. */
static int descend(struct bma_cache *const *c, struct bma__engine *const *e, int depth)
{
	uint64_t before = bma__budget_used();
	void *p[100];
	int status;
	pid_t pid;

	if (!depth)
		return bma_trim() || bma__budget_used() ? 1 : 7;
	pid = fork();
	if (pid)
		return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
									    : 2;
	if (bma__budget_used() != before || !exact(e))
		_exit(3);
	for (int i = 0; i < 100; i++) {
		p[i] = bma_cache_alloc_flags(c[depth & 1], BMA_SLEEP);
		if (!p[i] || !exact(e))
			_exit(4);
	}
	for (int i = 0; i < 100; i++)
		bma_cache_free(c[depth & 1], p[i]);
	if (!exact(e))
		_exit(5);
	/* Half of them begin anew. */
	if (depth % 4 == 0 && (bma_trim() || bma__budget_used()))
		_exit(6);
	_exit(descend(c, e, depth - 1));
}

Test(budget, a_child_of_fork_has_its_own)
{
	struct bma_cache *c[2];
	struct bma__engine *e[2];
	uint64_t before;

	setenv("BMA_CONF", "worker:off,cache_budget:16", 1);
	for (int i = 0; i < 2; i++) {
		c[i] = cache_of((size_t)64 << i);
		e[i] = c[i]->engine;
		work(c[i], 4000);
	}
	is_exact(e, 2);
	before = bma__budget_used();
	cr_assert_gt(before, 4000 * 64 * 2);
	cr_assert_eq(descend(c, e, 20), 7);
	is_exact(e, 2);
	cr_assert_eq(bma__budget_used(), before);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(bma_cache_destroy(c[i]), 0);
	cr_assert_eq(bma__budget_used(), 0);
}

Test(budget, figures_and_defaults)
{
	struct bma_cache_stats s;
	struct bma_stats p;
	struct bma_cache *c;
	uint64_t share;

	setenv("BMA_CONF", "worker:off", 1);
	c = cache_of(64);
	share = bma__ram_bytes() / 32;
	share = share < 16 * MIB ? 16 * MIB : share > 4096 * MIB ? 4096 * MIB : share;
	cr_assert_eq(bma_stats_get(&p, sizeof p), 0);
	cr_assert_eq(p.cache_budget, share);
	cr_assert_eq(p.cache_budget_used, 0);
	work(c, 4000);
	cr_assert_eq(bma_stats_get(&p, sizeof p), 0);
	cr_assert_eq(p.cache_budget_used, bma__budget_used());
	cr_assert_gt(p.cache_budget_used, 4000 * 64);
	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	cr_assert_gt(s.slot_grows, 2);
	cr_assert_eq(s.slot_shrinks, 0);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	cr_assert_geq(s.slot_shrinks, 1);
	cr_assert_eq(s.idle_drains, 0);
	cr_assert_eq(s.budget_refused, 0);
	cr_assert_eq(bma_stats_get(&p, sizeof p), 0);
	cr_assert_eq(p.cache_budget_used, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}
