/* SPDX-License-Identifier: MIT */
/* Caches that share, and caches that are destroyed while something of them is on its way. */
#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu/urcu-memb.h>

static struct bma_cache *make(size_t size, uint64_t flags)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = size, .flags = flags};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static struct bma_cache_stats stats(struct bma_cache *c)
{
	struct bma_cache_stats s;

	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	return s;
}

static uint64_t caches(void)
{
	struct bma_stats s;

	bma_stats_get(&s, sizeof s);
	return s.caches;
}

static void construct(void *obj, void *ctx)
{
	(void)obj, (void)ctx;
}

static void forget(void *ctx)
{
	(void)ctx;
}

Test(merge, equal_caches_share)
{
	struct bma_cache *a = make(48, BMA_CACHE_MERGE), *b = make(48, BMA_CACHE_MERGE);
	void *p = bma_cache_alloc(a);

	cr_assert_eq(stats(a).handles, 2);
	cr_assert_eq(stats(a).live, 1);
	cr_assert_eq(stats(b).live, 1);
	bma_cache_free(b, p);
	cr_assert_eq(stats(a).live, 0);
	cr_assert_eq(bma_cache_destroy(a), 0);
	cr_assert_eq(stats(b).handles, 1);
	cr_assert_eq(bma_cache_destroy(b), 0);
}

/* Size, alignment, flags, flavour; constructor and watermarks. */
Test(merge, what_differs_does_not_share)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 48, .flags = BMA_CACHE_MERGE};
	struct bma_cache *one = bma_cache_create(&a), *other;

#define DIFFERS(change, sharing)                                                                   \
	do {                                                                                       \
		struct bma_cache_attr d = a;                                                       \
		struct bma_cache_attr *x = &d;                                                     \
		change;                                                                            \
		other = bma_cache_create(&d);                                                      \
		cr_assert_not_null(other, #change);                                                \
		cr_assert_eq(stats(one).handles, 1, #change);                                      \
		cr_assert_eq(stats(other).handles, sharing, #change);                              \
		cr_assert_eq(bma_cache_destroy(other), 0);                                         \
	} while (0)
	DIFFERS(x->size = 56, 1);
	DIFFERS(x->align = 64, 1);
	DIFFERS(x->flags |= BMA_CACHE_DEBUG, 1);
	DIFFERS(x->flags |= BMA_CACHE_TRACK, 1);
	DIFFERS(x->flags |= BMA_CACHE_PERCPU, 1);
	DIFFERS(x->flags &= ~BMA_CACHE_MERGE, 0);
	DIFFERS(x->ctor = construct, 0);
	DIFFERS(x->dtor = construct, 0);
	DIFFERS(x->ctx_free = forget, 0);
	DIFFERS(x->low = 10, 0);
	DIFFERS(x->high = 100, 0);
	DIFFERS(x->batch = 14, 0);
	DIFFERS(x->reserve = 100, 0);
	DIFFERS(x->limbo_max = 100000, 0);
#undef DIFFERS
	cr_assert_eq(bma_cache_destroy(one), 0);
}

Test(merge, names_stay)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = 48, .flags = BMA_CACHE_MERGE, .name = "flows"};
	struct bma_cache *flows = bma_cache_create(&a), *routes, *last;
	char names[2][32];

	a.name = "routes";
	routes = bma_cache_create(&a);
	cr_assert_str_eq(stats(flows).name, "flows");
	cr_assert_str_eq(stats(routes).name, "routes");
	cr_assert_eq(bma_cache_names(flows, names, 2), 2);
	cr_assert((!strcmp(names[0], "flows") && !strcmp(names[1], "routes")) ||
		  (!strcmp(names[1], "flows") && !strcmp(names[0], "routes")));
	cr_assert_eq(bma_cache_names(routes, names, 1), 2);
	cr_assert_eq(bma_cache_names(routes, NULL, 0), 2);
	a.flags = 0;
	last = bma_cache_create(&a);
	cr_assert_eq(bma_cache_names(last, NULL, 0), 1);
	cr_assert_eq(bma_cache_names(last, names, 1), 1);
	cr_assert_str_eq(names[0], "routes");
	bma_cache_destroy(last);
	a.flags = BMA_CACHE_MERGE;
	/* One out of the middle. */
	a.name = "last";
	last = bma_cache_create(&a);
	bma_cache_destroy(routes);
	cr_assert_eq(bma_cache_names(last, names, 2), 2);
	cr_assert_str_eq(names[0], "last");
	cr_assert_str_eq(names[1], "flows");
	a.name = "routes";
	routes = bma_cache_create(&a);
	bma_cache_destroy(last);
	bma_cache_destroy(flows);
	cr_assert_eq(bma_cache_names(routes, names, 2), 1);
	cr_assert_str_eq(names[0], "routes");
	bma_cache_destroy(routes);
}

Test(merge, an_uncounted_one_is_never_busy)
{
	struct bma_cache *a = make(48, BMA_CACHE_MERGE), *b = make(48, BMA_CACHE_MERGE);
	void *p = bma_cache_alloc(a);

	cr_assert_eq(bma_cache_destroy(a), 0);
	memset(p, 1, 48);
	bma_cache_free(b, p);
	cr_assert_eq(stats(b).live, 0);
	cr_assert_eq(bma_cache_destroy(b), 0);
}

Test(merge, a_counted_one_is_busy_while_its_own_are_live)
{
	struct bma_cache *a = make(48, BMA_CACHE_MERGE | BMA_CACHE_COUNT),
			 *b = make(48, BMA_CACHE_MERGE);
	void *p[4], *q = bma_cache_alloc(b);

	p[0] = bma_cache_alloc(a);
	p[1] = bma_cache_alloc_flags(a, BMA_SLEEP);
	cr_assert_eq(bma_cache_alloc_bulk(a, p + 2, 2, 0), 2);
	cr_assert_eq(stats(a).counted, 4);
	cr_assert_eq(stats(a).live, 5);
	cr_assert_eq(stats(b).counted, 0);
	cr_assert_eq(bma_cache_destroy(a), -EBUSY);
	bma_cache_free(a, p[0]);
	bma_cache_free_rcu(a, p[1]);
	cr_assert_eq(bma_cache_free_rcu_flags(a, p[2], BMA_SLEEP), 0);
	bma_cache_free_bulk(a, p + 3, 1);
	cr_assert_eq(stats(a).counted, 0);
	cr_assert_eq(bma_cache_destroy(a), 0);
	bma_cache_free(b, q);
	cr_assert_eq(bma_cache_destroy(b), 0);
}

struct job {
	struct bma_cache *cache;
	int rounds;
};

static void *churn(void *arg)
{
	struct job *job = arg;

	for (int i = 0; i < job->rounds; i++) {
		void *p = bma_cache_alloc(job->cache), *q = bma_cache_alloc(job->cache);

		bma_cache_free(job->cache, p);
		if (i % 2)
			bma_cache_free_rcu(job->cache, q);
		else
			bma_cache_free(job->cache, q);
	}
	return NULL;
}

Test(merge, counts_of_many_threads_come_out_even)
{
	struct job job = {make(48, BMA_CACHE_MERGE | BMA_CACHE_COUNT), 20000};
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, churn, &job);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(stats(job.cache).counted, 0);
	cr_assert_eq(bma_cache_destroy(job.cache), 0);
}

/* The last handle goes, something is live: the memory stays until it has come home. */
Test(merge, memory_without_a_handle_is_given_back)
{
	uint64_t before = caches();
	struct bma_cache *a = make(1016, BMA_CACHE_MERGE), *b;
	void *p = bma_cache_alloc(a);

	cr_assert_eq(caches(), before + 1);
	cr_assert_eq(bma_cache_destroy(a), 0);
	bma_trim();
	cr_assert_eq(caches(), before + 1, "p is live");
	memset(p, 1, 1016);
	b = make(1016, BMA_CACHE_MERGE);
	cr_assert_eq(caches(), before + 1, "it is found again");
	bma_cache_free(b, p);
	cr_assert_eq(stats(b).live, 0);
	cr_assert_eq(bma_cache_destroy(b), 0);
	bma_trim();
	cr_assert_eq(caches(), before);
}

/* Found again, it is served again. */
Test(merge, an_orphan_that_found_a_handle_is_none)
{
	struct bma_cache *a = make(1016, BMA_CACHE_MERGE);

	cr_assert_eq(bma_cache_destroy(a), 0);
	a = make(1016, BMA_CACHE_MERGE);
	for (int i = 0; i < 3000; i++) {
		void *p = NULL;

		for (int tries = 0; !p && tries < 1000; tries++) {
			p = bma_cache_alloc(a);
			cr_assert(p || bma_poll(0) >= 0);
		}
		cr_assert_not_null(p, "%d", i);
	}
	cr_assert_eq(stats(a).live, 3000);
}

Test(merge, a_reserve_keeps_a_counted_one)
{
	struct bma_cache *a = make(48, BMA_CACHE_MERGE | BMA_CACHE_COUNT);
	struct bma_reserve *r = bma_reserve_create(a, 3);

	cr_assert_not_null(r);
	cr_assert_eq(bma_cache_destroy(a), -EBUSY);
	bma_reserve_destroy(r);
	cr_assert_eq(bma_cache_destroy(a), 0);
}

Test(merge, asynchronous_destroy_never_waits)
{
	uint64_t before = caches();
	struct bma_cache *c = make(100, BMA_CACHE_DESTROY_ASYNC);
	void *p = bma_cache_alloc(c);

	urcu_memb_register_thread();
	urcu_memb_read_lock();
	bma_cache_free_rcu(c, p);
	/* A plain destroy would say -EDEADLK here. */
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_eq(caches(), before + 1);
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	bma_trim();
	bma_trim();
	cr_assert_eq(caches(), before);
}

static int destructed;

static void destruct(void *obj, void *ctx)
{
	(void)obj, (void)ctx;
	destructed++;
}

Test(merge, asynchronous_destroy_runs_destructors)
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .size = 100,
				   .batch = 2,
				   .dtor = destruct,
				   .flags = BMA_CACHE_DESTROY_ASYNC};
	struct bma_cache *c = bma_cache_create(&a);
	uint64_t before = caches(), carved;

	bma_cache_free(c, bma_cache_alloc(c));
	carved = stats(c).carved;
	cr_assert_eq(bma_cache_destroy(c), 0);
	for (int i = 0; i < 10 && caches() == before; i++)
		bma_trim();
	cr_assert_eq(caches(), before - 1);
	cr_assert_eq((uint64_t)destructed, carved);
}

static int released;

static void release(void *ctx)
{
	cr_assert_eq(ctx, &released);
	cr_assert_neq(destructed, 0, "after the last destructor");
	released++;
}

static struct bma_cache *make_released(uint64_t flags)
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .size = 100,
				   .batch = 2,
				   .dtor = destruct,
				   .ctx = &released,
				   .ctx_free = release,
				   .flags = flags};

	return bma_cache_create(&a);
}

Test(merge, the_context_goes_last)
{
	struct bma_cache *c = make_released(0);
	void *p = bma_cache_alloc(c);

	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
	cr_assert_eq(released, 0);
	bma_cache_free(c, p);
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_eq(released, 1);
}

/* Objects may be freed, and come home, after the destroy. Of a cache that was not made nothing is released. */
Test(merge, the_context_waits_for_the_last_object)
{
	struct bma_cache *c = make_released(BMA_CACHE_DESTROY_ASYNC);
	void *p = bma_cache_alloc(c);

	cr_assert_null(make_released(BMA_CACHE_POISON));
	cr_assert_eq(bma_cache_destroy(c), 0);
	for (int i = 0; i < 4; i++)
		bma_trim();
	cr_assert_eq(released, 0);
	bma_cache_free(c, p);
	for (int i = 0; i < 10 && !released; i++)
		bma_trim();
	cr_assert_eq(released, 1);
}

/* What ten thousand handles more cost: no page of slabs, a quarter KiB each. */
Test(merge, ten_thousand_handles)
{
	enum { N = 10000 };
	static struct bma_cache *c[N];
	struct bma_stats before, after;

	c[0] = make(64, BMA_CACHE_MERGE);
	bma_stats_get(&before, sizeof before);
	for (int i = 1; i < N; i++)
		c[i] = make(64, BMA_CACHE_MERGE);
	bma_stats_get(&after, sizeof after);
	cr_assert_eq(after.caches, before.caches);
	cr_assert_eq(after.slab_bytes, before.slab_bytes);
	cr_assert_leq(after.meta_bytes - before.meta_bytes, 256 * (uint64_t)N);
	cr_assert_eq(stats(c[7]).handles, N);
	for (int i = 0; i < N; i++)
		cr_assert_eq(bma_cache_destroy(c[i]), 0);
}

static void *open_and_close(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	for (int i = 0; i < 2000; i++) {
		struct bma_cache *c = make(200 + 8 * (size_t)(rand_r(&seed) % 4), BMA_CACHE_MERGE);
		void *p = bma_cache_alloc_flags(c, BMA_SLEEP);

		cr_assert_not_null(p);
		memset(p, 1, 200);
		bma_cache_free(c, p);
		cr_assert_eq(bma_cache_destroy(c), 0);
		if (i % 100 == 0)
			bma_trim();
	}
	return NULL;
}

/* Handles come and go while the memory of those without any is given back. */
Test(merge, opening_against_reaping)
{
	pthread_t threads[3];

	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, open_and_close, (void *)(i + 1));
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}
