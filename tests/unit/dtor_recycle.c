/* SPDX-License-Identifier: MIT */
/* Destructors that also run before a freed object can be handed out again. */
#include "dtor.h"

#define MEMB urcu_memb_flavor

static struct bma_cache *create_recycling(const char *conf)
{
	struct bma_cache_attr a = attr_destructed(BMA_CACHE_DTOR_RECYCLE);

	setenv("BMA_CONF", conf, 1);
	return make(&a);
}

/* By every call that frees. */
static void free_somehow(struct bma_cache *c, void **objs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (i % 4 == 0)
			bma_cache_free(c, objs[i]);
		else if (i % 4 == 1)
			bma_cache_free_rcu(c, objs[i]);
		else if (i % 4 == 2)
			bma_cache_free_bulk(c, objs + i, 1);
		else
			cr_assert_eq(bma_cache_free_rcu_flags(c, objs[i], BMA_SLEEP), 0);
	}
}

static void untag(void *obj)
{
	*(uint64_t *)obj = 0;
}

Test(dtor_recycle, once_a_free)
{
	enum { N = 1000 };
	struct bma_cache *c = create_recycling("worker:off");
	unsigned int carved;
	void *p[N];

	take_tagged(c, p, N);
	for (int round = 0; round < 3; round++) {
		dtor.calls = 0;
		free_somehow(c, p, N);
		cr_assert_eq(dtor.calls, 0);
		cr_assert_eq(stats(c).limbo, N, "plain frees wait, too");
		cr_assert_eq(bma_rcu_barrier(c), 0);
		assert_once_each(N);
		cr_assert_eq(stats(c).limbo, 0);
		for (int i = 0; i < N; i++)
			cr_assert_not_null(p[i] = bma_cache_alloc(c));
	}
	free_somehow(c, p, N);
	cr_assert_eq(bma_rcu_barrier(c), 0);
	dtor.calls = 0;
	carved = (unsigned int)stats(c).carved;
	cr_assert_eq(bma_cache_destroy(c), 0);
	assert_once_each(carved);
}

Test(dtor_recycle, with_magazines_of_any_size)
{
	static const uint32_t batches[] = {1, 2, 6, 510};

	setenv("BMA_CONF", "worker:off", 1);
	for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
		struct bma_cache_attr a = attr_destructed(BMA_CACHE_DTOR_RECYCLE | BMA_CACHE_DEBUG);
		struct bma_cache *c;
		void *p[700];

		dtor.calls = 0;
		a.batch = batches[i];
		c = make(&a);
		take_tagged(c, p, 700);
		free_somehow(c, p, 700);
		cr_assert_eq(bma_rcu_barrier(c), 0);
		assert_once_each(700);
		cr_assert_eq(bma_cache_destroy(c), 0);
	}
}

Test(dtor_recycle, a_reader_holds_plain_frees_back, .timeout = 20)
{
	enum { N = 500 };
	struct bma_cache *c = create_recycling("worker:on");
	struct reader r;
	void *p[N];

	take_tagged(c, p, N);
	reader_enter(&r, &MEMB);
	bma_cache_free_bulk(c, p, N);
	AWAIT(rcu_stats(c).running_ns);
	for (int i = 0; i < 5; i++) {
		bma_poll(0);
		cr_assert_eq(tagged_among(c, 3000), 0, "handed out under a reader");
	}
	for (int i = 0; i < N; i++)
		cr_assert_eq(*(uint64_t *)p[i], TAG);
	reader_leave(&r);
	AWAIT(!stats(c).limbo);
	cr_assert_geq(dtor.calls, N);
}

/* Handed out only after its destructor has run: that takes the tag away. */
Test(dtor_recycle, a_barrier_waits_for_destructors, .timeout = 20)
{
	enum { N = 100 };
	struct bma_cache *c = create_recycling("worker:on");
	void *p[N];

	dtor.naps = 1;
	dtor.also = untag;
	take_tagged(c, p, N);
	free_somehow(c, p, N);
	cr_assert_eq(tagged_among(c, 500), 0, "handed out before");
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_geq(dtor.calls, N);
	cr_assert_eq(stats(c).limbo, 0);
	for (int i = 0; i < N; i++)
		cr_assert_neq(*(uint64_t *)p[i], TAG);
	cr_assert_eq(dtor.elsewhere, 0, "all on one thread");
	cr_assert_neq(dtor.thread, gettid(), "and that is the worker");
}

Test(dtor_recycle, polls_run_them_without_a_thread)
{
	struct bma_cache *c = create_recycling("worker:off");
	void *p[100];

	take_tagged(c, p, 100);
	free_somehow(c, p, 100);
	cr_assert_geq(bma_poll(0), 0);
	cr_assert_eq(dtor.calls, 0);
	cr_assert_geq(bma_poll(BMA_POLL_GP), 0);
	assert_once_each(100);
	cr_assert_eq(dtor.thread, gettid());
	cr_assert_eq(tagged_among(c, 3000), 100);
}

/* A free that may sleep waits for what is in limbo, and that includes what has yet to be destructed. */
Test(dtor_recycle, frees_that_may_sleep_get_through_without_a_thread, .timeout = 10)
{
	struct bma_cache_attr a = attr_destructed(BMA_CACHE_DTOR_RECYCLE);
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 1);
	a.batch = 6;
	a.limbo_max = (size_t)12 * 64;
	c = make(&a);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(
			bma_cache_free_rcu_flags(c, bma_cache_alloc_flags(c, BMA_SLEEP), BMA_SLEEP),
			0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

static struct bma_cache *shared;
static _Atomic unsigned int freed;
static _Atomic int freeing;

/* Others leave with their slabs, because the worker finds that there are too many. */
static void count_tagged(void *obj)
{
	if (*(uint64_t *)obj != TAG)
		return;
	nap();
	untag(obj);
	freed++;
}

static void *free_and_wait(void *unused)
{
	for (int i = 0; i < 10; i++) {
		void *p[20];

		for (int k = 0; k < 20; k++) {
			p[k] = bma_cache_alloc_flags(shared, BMA_SLEEP);
			*(uint64_t *)p[k] = TAG;
		}
		bma_cache_free_bulk(shared, p, 20);
		bma_rcu_barrier(shared);
	}
	freeing--;
	return unused;
}

/* The worker, threads that poll, and those that wait would all run them. */
Test(dtor_recycle, never_two_at_a_time, .timeout = 30)
{
	struct bma_cache_attr a = attr_destructed(BMA_CACHE_DTOR_RECYCLE);
	pthread_t t[2];

	a.batch = 2; /* many magazines */
	shared = make(&a);
	dtor.also = count_tagged;
	freeing = 2;
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, free_and_wait, NULL);
	while (freeing)
		bma_poll(0);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	cr_assert_eq(freed, 2 * 10 * 20);
	cr_assert_eq(dtor.nested, 0, "two at a time");
	cr_assert_eq(stats(shared).live, 0);
}

static struct bma_cache *other;

static void allocate_and_free(void *obj)
{
	struct bma_cache *own = create(100);
	void *p = bma_cache_alloc_flags(other, BMA_SLEEP);

	dtor.late += !own || !p;
	bma_cache_free(other, p);
	bma_cache_free_rcu(other, bma_cache_alloc_flags(other, BMA_SLEEP));
	dtor.late += bma_cache_destroy(own) != 0;
	/* Of its own, too, but not for ever. */
	if (*(uint64_t *)obj == TAG) {
		*(uint64_t *)obj = 0;
		p = bma_cache_alloc_flags(shared, BMA_SLEEP);
		dtor.late += !p;
		untag(p);
		bma_cache_free(shared, p);
	}
}

/* It holds no lock of ours. */
static void use_in_destructor(const char *conf)
{
	void *p[20];

	shared = create_recycling(conf);
	other = create(200);
	dtor.also = allocate_and_free;
	take_tagged(shared, p, 20);
	free_somehow(shared, p, 20);
	while (stats(shared).limbo)
		cr_assert_eq(bma_rcu_barrier(shared), 0);
	cr_assert_geq(dtor.calls, 40);
	cr_assert_eq(bma_cache_destroy(shared), 0);
	cr_assert_eq(bma_cache_destroy(other), 0);
	cr_assert_eq(dtor.late, 0, "refused");
	cr_assert_eq(dtor.nested, 0);
}

Test(dtor_recycle, they_may_allocate_and_free, .timeout = 20)
{
	use_in_destructor("worker:on");
}

Test(dtor_recycle, they_may_without_a_thread, .timeout = 20)
{
	use_in_destructor("worker:off");
}
