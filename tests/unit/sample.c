/* SPDX-License-Identifier: MIT */
/* Sampled guard pages: gates, places, and that nothing is lost on the way. */
#include "cache/cache.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* More calls than go through a gate. */
#define MANY 3000

static struct bma_cache *cache_of(size_t size, size_t align)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = size, .align = align, .flags = BMA_CACHE_SAMPLE};
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 0);
	c = bma_cache_create(&a);
	cr_assert_not_null(c);
	return c;
}

/* The next object, guarded. */
static char *sample(struct bma_cache *c)
{
	char *p;

	bma__sample_open(c->engine);
	p = bma_cache_alloc_flags(c, BMA_SLEEP);
	cr_assert(bma__sample_has(p));
	return p;
}

static void pairs(struct bma_cache *c, int n)
{
	for (int i = 0; i < n; i++)
		bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
}

/* May the system read it? */
static bool open_to_all(const void *p)
{
	int ends[2];
	ssize_t n;

	cr_assert_eq(pipe(ends), 0);
	n = write(ends[1], p, 1);
	close(ends[0]);
	close(ends[1]);
	return n == 1;
}

static void check_ledger(struct bma_cache *c, uint64_t live)
{
	struct bma_cache_stats s;

	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	cr_assert_eq(s.live, live, "live %llu", (unsigned long long)s.live);
	cr_assert_eq(s.live + s.cached + s.limbo + s.parked + s.reserved + s.slab_free, s.carved);
}

Test(sample, one_object_a_gate_and_closed_when_it_is_freed)
{
	struct bma_cache *c = cache_of(64, 0);
	char *p = sample(c), *q;

	cr_assert_eq(c->head.mask, 0);
	cr_assert(open_to_all(p));
	cr_assert_not(open_to_all((void *)(((uintptr_t)p & ~4095ul) - 1)));
	cr_assert_not(open_to_all((void *)(((uintptr_t)p & ~4095ul) + 4096)));
	q = bma_cache_alloc_flags(c, BMA_SLEEP);
	cr_assert_not(bma__sample_has(q));
	check_ledger(c, 2);
	memset(p, 1, 64);
	bma_cache_free(c, p);
	cr_assert_not(open_to_all(p));
	check_ledger(c, 1);
	pairs(c, 20);
	cr_assert_eq(c->head.mask, c->engine->head.mask);
	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
	bma_cache_free(c, q);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* Freed past the gate it may be handed out again; at home it is closed. */
Test(sample, a_gate_is_shut_after_many_calls)
{
	struct bma_cache *c = cache_of(64, 0);
	char *p = sample(c);
	uint64_t away;

	pairs(c, MANY);
	cr_assert_eq(c->head.mask, c->engine->head.mask);
	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
	check_ledger(c, 1);
	bma_cache_free(c, p);
	cr_assert(open_to_all(p));
	check_ledger(c, 0);
	cr_assert_eq(bma__reclaim_drain(c->engine, 0, &away), 0);
	cr_assert_eq(away, 0);
	cr_assert_not(open_to_all(p));
	check_ledger(c, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* As it is left by two who open and shut it at the same time. */
Test(sample, an_open_gate_with_no_call_to_go_is_shut)
{
	struct bma_cache *c = cache_of(64, 0);

	bma__engine_gate(c->engine, true);
	cr_assert_eq(c->head.mask, 0);
	bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	cr_assert_eq(c->head.mask, c->engine->head.mask);
}

Test(sample, what_stands_in_an_object_goes_along)
{
	struct bma_cache *c = cache_of(200, 0);
	char *p = bma_cache_alloc_flags(c, BMA_SLEEP), *q;

	memset(p, 7, 200);
	bma_cache_free(c, p);
	q = sample(c);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(q[i], 7);
	memset(q, 8, 200);
	bma_cache_free(c, q);
	cr_assert_eq(bma_cache_alloc(c), p);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(p[i], 8);
}

/* A freed one stays closed while all others are used. */
Test(sample, places_are_taken_in_the_order_of_their_frees)
{
	struct bma_cache *c = cache_of(64, 0);
	static uintptr_t seen[2 * BMA__SAMPLE_PLACES];

	for (unsigned int i = 0; i < 2 * BMA__SAMPLE_PLACES; i++) {
		char *p = sample(c);

		seen[i] = (uintptr_t)p / 4096;
		bma_cache_free(c, p);
		for (unsigned int j = i < BMA__SAMPLE_PLACES ? 0 : i - BMA__SAMPLE_PLACES + 1;
		     j < i; j++)
			cr_assert_neq(seen[i], seen[j]);
	}
}

static _Atomic int holders[2 * BMA__SAMPLE_PLACES + 1], twice;

static void *take_and_give(void *arg)
{
	struct bma_cache *c = arg;

	for (int i = 0; i < 10000; i++) {
		char *p = sample(c);
		size_t page = ((uintptr_t)p - bma__sample_base) / 4096;

		twice += holders[page]++ != 0;
		holders[page]--;
		bma_cache_free(c, p);
	}
	return NULL;
}

Test(sample, a_place_has_one_object_at_a_time, .timeout = 60)
{
	enum { THREADS = 8 };
	pthread_t threads[THREADS];
	struct bma_cache *c[THREADS];

	for (int i = 0; i < THREADS; i++) {
		c[i] = cache_of(64, 0);
		cr_assert_eq(pthread_create(&threads[i], NULL, take_and_give, c[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(twice, 0);
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(bma_cache_destroy(c[i]), 0);
}

Test(sample, without_a_place_objects_are_ordinary)
{
	struct bma_cache *c = cache_of(64, 0);
	static char *p[BMA__SAMPLE_PLACES];
	char *q;

	for (unsigned int i = 0; i < BMA__SAMPLE_PLACES; i++)
		p[i] = sample(c);
	bma__sample_open(c->engine);
	q = bma_cache_alloc_flags(c, BMA_SLEEP);
	cr_assert_not(bma__sample_has(q));
	cr_assert_eq(c->head.mask, c->engine->head.mask);
	check_ledger(c, BMA__SAMPLE_PLACES + 1);
	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
	bma_cache_free(c, q);
	for (unsigned int i = 0; i < BMA__SAMPLE_PLACES; i++)
		bma_cache_free(c, p[i]);
	check_ledger(c, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_not(open_to_all(p[0]));
}

Test(sample, a_deferred_one_is_open_until_its_grace_period_is_over)
{
	struct bma_cache *c = cache_of(64, 0);
	char *p = sample(c);
	struct bma_cache_stats s;

	bma_cache_free_rcu(c, p);
	cr_assert(open_to_all(p));
	bma_cache_stats_get(c, &s, sizeof s);
	cr_assert_eq(s.limbo, 1);
	check_ledger(c, 0);
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_not(open_to_all(p));
	check_ledger(c, 0);
	cr_assert_eq(c->engine->guarded_deferred, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(sample, a_parked_one_is_collected_and_closed)
{
	struct bma_cache *c = cache_of(64, 0);
	char *p = sample(c), *q = sample(c);
	struct bma_cache_stats s;

	bma_cache_free_rcu(c, q);
	bma__park(c->engine, p, "test");
	bma_cache_stats_get(c, &s, sizeof s);
	cr_assert_eq(s.parked, 1);
	check_ledger(c, 0);
	cr_assert(open_to_all(p));
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_not(open_to_all(p));
	cr_assert_not(open_to_all(q));
	check_ledger(c, 0);
	cr_assert_eq(c->engine->guarded_deferred, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* Who was parking it when a handler forked asks late: by then it may have been collected, and its place be another's. */
Test(sample, a_parked_one_is_not_mistaken_for_another)
{
	struct bma_cache *c = cache_of(64, 0), *other = cache_of(128, 0);
	char *p = sample(c), *q = NULL;

	bma__park(c->engine, p, "test");
	cr_assert(bma__sample_is_parked(c->engine, p));
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_not(bma__sample_is_parked(c->engine, p), "it was collected");
	while (!q || ((uintptr_t)q & ~(BMA_PAGE - 1)) != ((uintptr_t)p & ~(BMA_PAGE - 1))) {
		if (q)
			bma_cache_free(other, q);
		q = sample(other);
	}
	bma__park(other->engine, q, "test");
	cr_assert_not(bma__sample_is_parked(c->engine, p), "that is the other's");
	cr_assert(bma__sample_is_parked(other->engine, q));
	cr_assert_eq(bma_rcu_barrier(other), 0);
	cr_assert_eq(bma_cache_destroy(other), 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(sample, both_ends_of_a_page_and_every_alignment)
{
	static const size_t sizes[] = {1, 13, 64, 100, 2000, 4096};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (size_t align = 8; align <= 256; align *= 32) {
			struct bma_cache *c = cache_of(sizes[i], align);
			int left = 0, n = 64;

			for (int j = 0; j < n; j++) {
				char *p = sample(c);
				size_t at = (uintptr_t)p % 4096;

				cr_assert_eq(at % align, 0);
				cr_assert(!at || 4096 - at - sizes[i] < align);
				left += !at;
				memset(p, 3, sizes[i]);
				bma_cache_free(c, p);
			}
			cr_assert(sizes[i] == 4096 || (left && left < n));
			cr_assert_eq(bma_cache_destroy(c), 0);
		}
	}
}

Test(sample, a_child_of_fork_goes_on)
{
	struct bma_cache *c = cache_of(64, 0);
	char *p = sample(c), *q = sample(c);
	int status;
	pid_t pid;

	*p = 5;
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid) {
		bool well = *p == 5;

		bma_cache_free(c, p);
		bma_cache_free(c, q);
		bma__sample_open(c->engine);
		p = bma_cache_alloc(c);
		well = well && bma__sample_has(p);
		bma_cache_free(c, p);
		_exit(!well || bma_cache_destroy(c));
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert_eq(*p, 5);
	bma_cache_free(c, p);
	bma_cache_free(c, q);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* The worker, or who polls, opens gates in time. */
Test(sample, gates_are_opened_in_turn, .timeout = 30)
{
	struct bma_cache *c[10];
	bool had[10] = {false};
	int left = 10;

	setenv("BMA_CONF", "worker:off,sample_ms:1", 1);
	for (int i = 0; i < 10; i++)
		c[i] = cache_of(64, 0);
	while (left) {
		bma_poll(0);
		for (int i = 0; i < 10; i++) {
			char *p = bma_cache_alloc_flags(c[i], BMA_SLEEP);

			left -= bma__sample_has(p) && !had[i];
			had[i] |= bma__sample_has(p);
			bma_cache_free(c[i], p);
		}
	}
}

Test(sample, the_worker_opens_gates, .timeout = 30)
{
	struct bma_cache *c;
	char *p;

	setenv("BMA_CONF", "sample_ms:1", 1);
	c = cache_of(64, 0);
	do {
		p = bma_cache_alloc_flags(c, BMA_SLEEP);
		bma_cache_free(c, p);
	} while (!bma__sample_has(p));
}

static void construct(void *obj, void *ctx)
{
	(void)ctx;
	*(char *)obj = 1;
}

static bool sampled(const struct bma_cache_attr *a)
{
	struct bma_cache *c = bma_cache_create(a);

	cr_assert_not_null(c);
	return c->engine->flags & BMA_CACHE_SAMPLE;
}

Test(sample, conf_asks_as_far_as_a_cache_can_have_it)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};

	setenv("BMA_CONF", "worker:off,debug:sample", 1);
	cr_assert(sampled(&a));
	a.flags = BMA_CACHE_DEBUG;
	cr_assert_not(sampled(&a));
	a.flags = 0;
	a.ctor = construct;
	cr_assert_not(sampled(&a));
	a.ctor = NULL;
	a.size = 4096;
	cr_assert(sampled(&a));
	a.size = 4097;
	cr_assert_not(sampled(&a));
	a.size = 64;
	a.align = 8192;
	cr_assert_not(sampled(&a));
}

/* What is said of an address, read back from the standard error. */
static const char *said(const void *at)
{
	static char line[4096];
	int ends[2], err = dup(2);
	ssize_t n;

	cr_assert_eq(pipe(ends), 0);
	dup2(ends[1], 2);
	close(ends[1]);
	bma__sample_fault(at);
	dup2(err, 2);
	close(err);
	n = read(ends[0], line, sizeof line - 1);
	close(ends[0]);
	line[n > 0 ? n : 0] = 0;
	return line;
}

#define SAYS(at, what) cr_assert(strstr(said(at), what), "%s", said(at))

/* Left and right of two neighbours, inside, after the free; of the place that nobody ever had nothing. */
Test(sample, what_a_fault_says)
{
	struct bma_cache *c = cache_of(64, 0);
	char *p = sample(c), *q, *last = (char *)bma__sample_base + BMA__SAMPLE_BYTES - 1;

	pairs(c, MANY);
	q = sample(c);
	SAYS(p + 64, "byte 0 behind its end was touched\n");
	SAYS(p - 1, "byte 1 before it was touched\n");
	SAYS(p + 3, "byte 3 was touched\n");
	SAYS(p, "allocated");
	SAYS(q + 70, "byte 6 behind its end");
	SAYS(q - 2, "byte 2 before it");
	cr_assert_str_empty(said(last));
	/* In the page between them: of the nearer one. */
	if (q > p && q - p < 3 * 4096) {
		SAYS((void *)(((uintptr_t)p & ~4095ul) + 4096), "behind its end");
		SAYS((void *)(((uintptr_t)q & ~4095ul) - 1), "was touched");
	}
	bma_cache_free(c, q);
	SAYS(q + 5, "byte 5 was touched, and nobody has the object");
	bma__sample_show(q);
	bma__sample_show((void *)(((uintptr_t)q & ~4095ul) - 4096));
}
