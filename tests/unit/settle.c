/* SPDX-License-Identifier: MIT */
/* What engines at rest and idle magazines give up. */
#include "cache/cache.h"
#include "clock.h"

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000u
#define CLASS 6 /* two in a page */

static uint64_t advised_bytes;
static int advices;
static bool advice_fails;
static void (*meanwhile)(void);

static int note_advise(void *addr, size_t bytes, int advice)
{
	if (advice == MADV_DONTNEED) {
		advices++;
		advised_bytes += bytes;
		if (meanwhile)
			meanwhile();
		if (advice_fails)
			return -ENOMEM;
	}
	return bma__os_real.advise(addr, bytes, advice);
}

enum { MAGS = 20000 };
static uintptr_t mags[MAGS];

/* @n magazines that were in use, all over their pages. */
static void use(uint32_t n)
{
	cr_assert_eq(bma__mag_promise(CLASS, n), 0);
	for (uint32_t i = 0; i < n; i++) {
		mags[i] = bma__mag_new(CLASS);
		cr_assert_neq(mags[i], 0);
		memset(bma__mag_elements(bma__mag_base(CLASS, mags[i])), 0xff,
		       bma__mag_size(CLASS) - 16);
	}
}

static void release(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		bma__mag_release(CLASS, mags[i]);
}

/* All of 0 to @n can be had again, each once, empty. */
static void all_there(uint32_t n)
{
	static uintptr_t seen[20000];

	for (uint32_t i = 0; i < n; i++) {
		uintptr_t word = bma__mag_new(CLASS), base = bma__mag_base(CLASS, word);

		cr_assert_neq(word, 0, "%u of %u", i, n);
		cr_assert_eq(bma__mag_count(CLASS, word), 0);
		cr_assert_eq(bma__mag_at(CLASS, bma__mag_index(CLASS, word)), base);
		seen[i] = word;
		/* Its owner writes it; a second one would find that. */
		cr_assert_neq(*(uint64_t *)bma__mag_elements(base), 4711);
		*(uint64_t *)bma__mag_elements(base) = 4711;
	}
	for (uint32_t i = 0; i < n; i++) {
		*(uint64_t *)bma__mag_elements(bma__mag_base(CLASS, seen[i])) = 0;
		bma__mag_release(CLASS, seen[i]);
	}
}

static void setup(void)
{
	bma__env_parse("worker:off");
	bma__topo_init(1);
	bma__os.advise = note_advise;
}

TestSuite(magazines, .init = setup);

Test(magazines, idle_ones_give_their_pages_back_after_a_while)
{
	use(4000);
	release(0, 4000);
	bma__mag_unpromise(CLASS, 4000);
	cr_assert(bma__mag_tick(), "much is idle, but for how long");
	cr_assert_eq(advices, 0);
	cr_assert(!bma__mag_tick());
	cr_assert_geq(advised_bytes, 3800 * bma__mag_size(CLASS));
	cr_assert_lt(advices, 20, "neighbours in one call");
	advised_bytes = 0;
	cr_assert(!bma__mag_tick());
	cr_assert_eq(advised_bytes, 0, "they have none to give");
	all_there(4000);
}

Test(magazines, those_that_are_used_now_and_then_keep_theirs)
{
	use(4000);
	release(0, 4000);
	bma__mag_unpromise(CLASS, 4000);
	for (int i = 0; i < 5; i++) {
		bma__mag_tick();
		for (int k = 0; k < 3900; k++)
			mags[k] = bma__mag_new(CLASS);
		release(0, 3900);
	}
	cr_assert_eq(advices, 0);
}

Test(magazines, a_page_goes_only_if_all_in_it_are_idle)
{
	static void *const pattern = &advices;

	use(2000);
	for (uint32_t i = 0; i < 2000; i += 2)
		bma__mag_release(CLASS, mags[i]);
	bma__mag_trim();
	cr_assert_eq(advised_bytes, 0);
	for (uint32_t i = 1; i < 2000; i += 2) {
		void **e = bma__mag_elements(bma__mag_base(CLASS, mags[i]));

		for (uint32_t k = 0; k < bma__mag_capacity(CLASS); k++)
			cr_assert_eq((uintptr_t)e[k], UINTPTR_MAX);
		e[0] = pattern;
	}
	all_there(1000);
}

Test(magazines, what_the_system_keeps_is_idle_on)
{
	use(2000);
	release(0, 2000);
	bma__mag_unpromise(CLASS, 2000);
	advice_fails = true;
	bma__mag_trim();
	cr_assert_gt(advices, 0);
	advice_fails = false;
	advised_bytes = 0;
	bma__mag_trim();
	cr_assert_geq(advised_bytes, 1900 * bma__mag_size(CLASS), "tried again");
	all_there(2000);
}

static uint32_t promised;
static uintptr_t had[20000];

static void take_promised(void)
{
	meanwhile = NULL;
	for (uint32_t i = 0; i < promised; i++) {
		had[i] = bma__mag_new(CLASS);
		cr_assert_neq(had[i], 0, "what was promised is there: %u of %u", i, promised);
	}
}

/* Any-context calls take all that they were promised, in the middle of it. */
Test(magazines, promises_are_kept_meanwhile)
{
	use(8000);
	release(0, 8000);
	bma__mag_unpromise(CLASS, 4000);
	promised = 4000;
	meanwhile = take_promised;
	bma__mag_trim();
	cr_assert_null(meanwhile);
	for (uint32_t i = 0; i < promised; i++)
		bma__mag_release(CLASS, had[i]);
	all_there(8000);
	/* All of them promised. */
	cr_assert_eq(bma__mag_promise(CLASS, 4000), 0);
	promised = 8000;
	meanwhile = take_promised;
	bma__mag_trim();
	cr_assert_null(meanwhile);
	for (uint32_t i = 0; i < promised; i++)
		bma__mag_release(CLASS, had[i]);
	all_there(8000);
}

static _Atomic int inside;

static void linger(void)
{
	atomic_store(&inside, 1);
	bma__os_sleep(50 * MS);
}

static void *trimmer(void *unused)
{
	(void)unused;
	bma__mag_trim();
	return NULL;
}

/* Fork waits until none is in hand. */
Test(magazines, a_child_of_fork_has_them_all, .timeout = 60)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};
	uint32_t n = 1000;
	uint64_t mapped;
	pthread_t t;
	int status;
	pid_t pid;

	setenv("BMA_CONF", "worker:off", 1);
	cr_assert_not_null(bma_cache_create(&a));
	use(n);
	while (n < MAGS && (mags[n] = bma__mag_new(CLASS)))
		n++;
	cr_assert_lt(n, MAGS);
	release(0, n);
	bma__mag_unpromise(CLASS, 1000);
	mapped = bma__mag_bytes();
	meanwhile = linger;
	pthread_create(&t, NULL, trimmer, NULL);
	while (!atomic_load(&inside))
		;
	pid = fork();
	if (!pid) {
		alarm(20);
		for (uint32_t i = 0; i < n; i++) {
			if (!bma__mag_new(CLASS))
				_exit(1);
		}
		_exit(bma__mag_bytes() == mapped ? 0 : 2);
	}
	pthread_join(t, NULL);
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0);
}

/*
 * From here on engines, whose time is the test's: a look that comes early would have settled what is to be found unsettled. Objects are freed in
 * random order, so that each that is kept lies in another slab.
 */
TestSuite(engines, .init = clock_stop);

enum { FEW = 14000, MANY = 60000, STOCK = 200 };
static void *objs[MANY];

static struct bma_cache_stats stats(struct bma_cache *c)
{
	struct bma_cache_stats s;

	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	return s;
}

static void shuffle(int n)
{
	uint64_t seed = 88172645463325252u;

	for (int i = n - 1; i > 0; i--) {
		int j;
		void *t = objs[i];

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		j = (int)(seed % (uint64_t)(i + 1));
		objs[i] = objs[j];
		objs[j] = t;
	}
}

static void polls(int n)
{
	for (int i = 0; i < n; i++) {
		bma_poll(0);
		clock_pass(15 * MS);
	}
}

/* Its depot has been drained, as bma_poll() does it: looked at, watched, drained. */
static struct bma_cache *scattered(int n, uint32_t batch)
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .size = 64,
				   .batch = batch,
				   .high = 2 * batch,
				   .reserve = STOCK};
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off,purge_ms:40", 1);
	c = bma_cache_create(&a);
	for (int i = 0; i < n; i++)
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	shuffle(n);
	for (int i = 0; i < n; i++)
		bma_cache_free(c, objs[i]);
	for (int i = 0; i < 20 && stats(c).depot > 2 * STOCK; i++) {
		bma_poll(0);
		bma_poll(0);
	}
	cr_assert_leq(stats(c).depot, 2 * STOCK);
	cr_assert_geq(stats(c).depot, STOCK);
	return c;
}

/* 4 objects of the slot may lie in as many slabs, those of the depot in few. */
Test(engines, at_rest_keep_their_stock_in_few_slabs)
{
	struct bma_cache *c = scattered(FEW, 2);

	polls(5);
	cr_assert_lt(stats(c).slabs, 8, "%llu", (unsigned long long)stats(c).slabs);
	cr_assert_geq(stats(c).depot, STOCK, "the stock is what it was");
	cr_assert_eq(stats(c).live, 0);
	for (int i = 0; i < STOCK; i++)
		cr_assert_not_null(bma_cache_alloc(c));
}

/* Once, and not while somebody exchanges. */
Test(engines, in_use_are_left_alone)
{
	struct bma_cache *c = scattered(FEW, 2);
	uint64_t drains = stats(c).drains;

	for (int i = 0; i < 6; i++) {
		for (int k = 0; k < 60; k++)
			objs[k] = bma_cache_alloc(c);
		for (int k = 0; k < 60; k++)
			bma_cache_free(c, objs[k]);
		polls(1);
	}
	cr_assert_eq(stats(c).drains, drains);
	polls(4);
	cr_assert_gt(stats(c).drains, drains);
	drains = stats(c).drains;
	polls(4);
	cr_assert_eq(stats(c).drains, drains, "it has settled");
}

/* Slots in use, whose objects hold more than 1 MiB of slabs, are drained. */
Test(engines, in_use_or_not_do_not_hold_much)
{
	struct bma_cache *c = scattered(MANY, 62);
	uint64_t cached = stats(c).cached, drains;

	for (int i = 0; i < 4; i++) {
		for (int k = 0; k < 300; k++)
			objs[k] = bma_cache_alloc(c);
		for (int k = 0; k < 300; k++)
			bma_cache_free(c, objs[k]);
		polls(1);
	}
	cr_assert_lt(stats(c).slabs, 10, "%llu", (unsigned long long)stats(c).slabs);
	cr_assert_geq(stats(c).cached + 62, cached, "as much is at hand");
	cr_assert_eq(stats(c).live, 0);
	drains = stats(c).drains;
	polls(4);
	cr_assert_leq(stats(c).drains, drains + 10);
}

/* At the first tries the program has the objects that hold the slabs in use; later it gives them back, and rests. */
Test(engines, that_could_not_be_helped_are_looked_at_again)
{
	struct bma_cache *c = scattered(MANY, 62);

	for (int k = 0; k < 50; k++)
		objs[k] = bma_cache_alloc(c);
	polls(9);
	cr_assert_gt(stats(c).slabs, 20);
	for (int k = 0; k < 50; k++)
		bma_cache_free(c, objs[k]);
	polls(40);
	cr_assert_lt(stats(c).slabs, 12, "%llu", (unsigned long long)stats(c).slabs);
}

/* Live objects hold the slabs: that is tried once. */
Test(engines, that_cannot_be_helped_are_not_drained_again)
{
	struct bma_cache *c;
	uint64_t drains;
	void *p;

	setenv("BMA_CONF", "worker:off,purge_ms:40", 1);
	c = scattered(1000, 62);
	for (int i = 0; i < MANY; i++)
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (int i = 0; i < MANY; i++) {
		if (i % 500)
			bma_cache_free(c, objs[i]);
	}
	polls(8);
	cr_assert_gt(stats(c).slabs, 50);
	drains = stats(c).drains;
	for (int i = 0; i < 20; i++) {
		p = bma_cache_alloc_flags(c, BMA_SLEEP);
		bma_cache_free(c, p);
		for (int k = 0; k < 300; k++)
			objs[k] = bma_cache_alloc_flags(c, BMA_SLEEP);
		for (int k = 0; k < 300; k++)
			bma_cache_free(c, objs[k]);
		clock_pass(12 * MS);
		bma_poll(0);
	}
	cr_assert_leq(stats(c).drains, drains + 60, "%llu then %llu", (unsigned long long)drains,
		      (unsigned long long)stats(c).drains);
}

/* The last slab that is wholly free goes, too. */
Test(engines, at_rest_keep_no_free_slab)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 4096, .batch = 1};
	struct bma_cache *c;
	void *p[600];

	setenv("BMA_CONF", "worker:off,purge_ms:40", 1);
	c = bma_cache_create(&a);
	for (int i = 0; i < 600; i++)
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (int i = 599; i >= 0; i--)
		bma_cache_free(c, p[i]);
	polls(20);
	cr_assert_eq(c->engine->empty_slabs, 0);
}

static uint32_t boost_of(struct bma_cache *c)
{
	return atomic_load(&c->engine->boost);
}

/* Polls until the stock is what it was at first; at most @most. */
static int relaxed_after(struct bma_cache *c, int most)
{
	int n = 0;

	atomic_store(&c->engine->boost, 4);
	atomic_store(&c->engine->hands_over, true);
	/* As calls do that make it so. */
	bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	atomic_fetch_add(&c->engine->refills, 1);
	while (boost_of(c) && n < most) {
		bma_poll(0);
		clock_pass(11 * MS);
		n++;
	}
	return n;
}

/* A stock that was made deeper is so while it is used, and longer after each time. */
Test(engines, at_rest_do_not_need_a_deeper_stock, .timeout = 60)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 1024, .batch = 14};
	struct bma_cache *c;
	uint64_t deep;
	int first, third;

	setenv("BMA_CONF", "worker:off,purge_ms:1", 1);
	c = bma_cache_create(&a);
	for (int i = 0; i < FEW; i++)
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	atomic_store(&c->engine->boost, 4);
	bma__engine_set_marks(c->engine);
	deep = stats(c).depot_target;
	first = relaxed_after(c, 200);
	cr_assert_lt(first, 50);
	cr_assert_leq(stats(c).depot_target, deep / 8);
	cr_assert(!atomic_load(&c->engine->hands_over));
	relaxed_after(c, 200);
	third = relaxed_after(c, 200);
	cr_assert_gt(third, first + 2, "first %d, third %d", first, third);
	/* In use it stays. */
	atomic_store(&c->engine->boost, 4);
	for (int i = 0; i < 20; i++) {
		atomic_fetch_add(&c->engine->refills, 1);
		bma_poll(0);
		clock_pass(11 * MS);
	}
	cr_assert_eq(boost_of(c), 4);
}

/* A destroy that is under way must not find a magazine in this one's hand. */
Test(engines, that_are_destroyed_are_left_alone)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 1024, .batch = 14};
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off,purge_ms:1", 1);
	c = bma_cache_create(&a);
	atomic_store(&c->engine->boost, 4);
	atomic_store(&c->engine->dying, true);
	for (int i = 0; i < 20; i++) {
		bma_poll(0);
		clock_pass(11 * MS);
	}
	cr_assert_eq(boost_of(c), 4);
	atomic_store(&c->engine->dying, false);
	for (int i = 0; i < 20; i++) {
		bma_poll(0);
		clock_pass(11 * MS);
	}
	cr_assert_eq(boost_of(c), 0);
}

/* What is in hand while a stock is renewed is in the depot of a child. */
Test(engines, that_are_renewed_during_a_fork_lose_nothing)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64, .batch = 14};
	struct bma__engine *e;
	struct bma_cache *c;
	uint32_t depth;
	int status;
	pid_t pid;

	setenv("BMA_CONF", "worker:off", 1);
	c = bma_cache_create(&a);
	e = c->engine;
	depth = bma__depot_depth(&e->depot[0]);
	bma__stack_push(&e->in_hand.fresh, e->class, bma__refill_magazine(e, 0));
	bma__stack_push(&e->in_hand.old, e->class, bma__refill_magazine(e, 0));
	bma__stack_push(&e->in_hand.again, e->class, bma__refill_magazine(e, 0));
	atomic_store(&e->renewing, true);
	pid = fork();
	if (!pid)
		_exit(bma__depot_depth(&e->depot[0]) == depth + 3 && !stats(c).live &&
				      !atomic_load(&e->renewing) && !bma_cache_destroy(c)
			      ? 0
			      : 1);
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0);
}
