/* SPDX-License-Identifier: MIT */
/*
 * Deferred frees, as users make them: what they keep from being reused, and until when. Built twice: inlined
 * and exported.
 */
#include "reader.h"

#include <errno.h>

#include "threads.h"

#define MEMB urcu_memb_flavor

Test(rcu, null_is_a_no_op_and_unknown_flags_are_refused)
{
	struct bma_cache *c;
	void *p;

	setenv("BMA_CONF", "worker:off", 1);
	c = create(64);
	p = bma_cache_alloc(c);
	bma_cache_free_rcu(c, NULL);
	cr_assert_eq(bma_cache_free_rcu_flags(c, NULL, 0), 0);
	cr_assert_eq(bma_cache_free_rcu_flags(c, NULL, BMA_SLEEP), 0);
	cr_assert_eq(bma_cache_free_rcu_flags(c, NULL, 4), -EINVAL);
	cr_assert_eq(bma_cache_free_rcu_flags(c, p, BMA_ZERO), -EINVAL);
	cr_assert_eq(bma_cache_free_rcu_flags(c, p, BMA_SLEEP | 8), -EINVAL);
	cr_assert_eq(stats(c).live, 1, "it is still the caller's");
	cr_assert_eq(stats(c).limbo, 0);
	cr_assert_eq(bma_cache_free_rcu_flags(c, p, 0), 0);
	cr_assert_eq(stats(c).limbo, 1);
	cr_assert_eq(stats(c).live, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(rcu, one_free_and_then_silence, .timeout = 20)
{
	struct bma_cache *c = create(64);
	void *p;

	take_tagged(c, &p, 1);
	bma_cache_free_rcu(c, p);
	AWAIT(!stats(c).limbo);
	cr_assert_eq(tagged_among(c, 20000), 1);
}

/* Neither reused nor changed: what the tags say, and all other bytes. */
Test(rcu, a_reader_holds_objects_back, .timeout = 20)
{
	enum { N = 1000 };
	static unsigned char *p[N];
	struct bma_cache *c = create(64);
	struct reader r;

	take_tagged(c, (void **)p, N);
	for (int i = 0; i < N; i++)
		memset(p[i] + 8, i, 56);
	reader_enter(&r, &MEMB);
	free_rcu_all(c, (void **)p, N);
	AWAIT(rcu_stats(c).running_ns);
	for (int i = 0; i < 5; i++) {
		bma_poll(0);
		cr_assert_eq(tagged_among(c, 20000), 0, "reused under a reader");
	}
	for (int i = 0; i < 50; i++)
		nap();
	for (int i = 0; i < N; i++) {
		cr_assert_eq(*(uint64_t *)p[i], TAG);
		for (int k = 8; k < 64; k++)
			cr_assert_eq(p[i][k], i & 0xff, "object %d, byte %d", i, k);
	}
	cr_assert_eq(stats(c).limbo, N);
	reader_leave(&r);
	AWAIT(!stats(c).limbo);
	cr_assert_eq(tagged_among(c, 40000), N);
}

/* A reader that never leaves is named, and is in nobody's way but that of the objects it may hold. */
Test(rcu, a_reader_that_never_leaves, .timeout = 20)
{
	enum { N = 2000 };
	static void *p[N];
	struct bma_cache *c = create(64);
	struct bma_rcu_stats s, later;
	struct reader r;

	take_tagged(c, p, N);
	reader_enter(&r, &MEMB);
	free_rcu_all(c, p, N);
	AWAIT(rcu_stats(c).running_ns);
	s = rcu_stats(c);
	cr_assert_str_eq(s.name, "memb");
	AWAIT(rcu_stats(c).running_ns > s.running_ns + 2000000);
	later = rcu_stats(c);
	cr_assert_eq(later.grace_periods, s.grace_periods);
	cr_assert_gt(later.limbo_bytes, 0);
	for (int round = 0; round < 3; round++) {
		uint64_t refills = stats(c).refills;
		void *q;

		/* More than any stock: the worker has to refill. */
		for (int i = 0; i < 100000 && (q = bma_cache_alloc(c)); i++)
			cr_assert_neq(*(uint64_t *)q, TAG, "reused under a reader");
		AWAIT(stats(c).refills > refills && (q = bma_cache_alloc(c)));
	}
	cr_assert_eq(tagged_among(c, 20000), 0);
	cr_assert_eq(stats(c).limbo, N);
	reader_leave(&r);
	AWAIT(!stats(c).limbo);
	cr_assert_geq(rcu_stats(c).longest_ns, later.running_ns);
}

Test(rcu, after_a_barrier_all_may_be_reused)
{
	enum { N = 5000 };
	static void *p[N];
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 1);
	c = create(64);
	take_tagged(c, p, N);
	for (int round = 0; round < 3; round++) {
		free_rcu_all(c, p, N);
		cr_assert_eq(stats(c).limbo, N);
		cr_assert_eq(bma_rcu_barrier(c), 0);
		cr_assert_eq(stats(c).limbo, 0);
		for (int i = 0; i < N; i++)
			cr_assert_not_null(p[i] = bma_cache_alloc(c), "object %d", i);
	}
	cr_assert_eq(bma_rcu_barrier(c), 0, "with nothing to wait for");
}

Test(rcu, a_barrier_waits_for_readers_with_a_thread_too, .timeout = 20)
{
	struct bma_cache *c = create(64);

	for (int round = 0; round < 50; round++) {
		void *p;

		take_tagged(c, &p, 1);
		bma_cache_free_rcu(c, p);
		cr_assert_eq(bma_rcu_barrier(c), 0);
		cr_assert_eq(stats(c).limbo, 0);
	}
}

/* Inside a section what would wait says so, and has done nothing. */
Test(rcu, nothing_waits_inside_a_section, .timeout = 20)
{
	struct bma_cache *c;
	void *p[2];

	setenv("BMA_CONF", "worker:off", 1);
	c = create(64);
	take_tagged(c, p, 2);
	MEMB.register_thread();
	MEMB.read_lock();
	cr_assert_eq(bma_cache_free_rcu_flags(c, p[0], BMA_SLEEP), -EDEADLK);
	cr_assert_eq(stats(c).live, 2, "it is still the caller's");
	bma_cache_free_rcu(c, p[0]);
	cr_assert_eq(bma_rcu_barrier(c), -EDEADLK);
	cr_assert_eq(rcu_stats(c).limbo_bytes, 0, "nothing was sealed");
	bma_cache_free(c, p[1]);
	cr_assert_eq(bma_cache_destroy(c), -EDEADLK);
	cr_assert_eq(stats(c).limbo, 1);
	cr_assert_gt(stats(c).cached, 0, "nothing was drained");
	cr_assert_eq(bma_poll(BMA_POLL_GP), -EDEADLK);
	cr_assert_eq(bma_trim(), -EDEADLK);
	cr_assert_eq(stats(c).limbo, 1);
	MEMB.read_unlock();
	take_tagged(c, p, 1);
	cr_assert_eq(bma_cache_free_rcu_flags(c, p[0], BMA_SLEEP), 0);
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_eq(stats(c).limbo, 0);
	MEMB.unregister_thread();
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* Neither with an object that waits, nor with one that only gathers. */
Test(rcu, a_shutdown_inside_a_section_does_nothing, .timeout = 20)
{
	struct bma_cache *c;
	unsigned int n;

	setenv("BMA_CONF", "gp_flush_ms:1000", 1);
	c = create(64);
	n = threads_now();
	MEMB.register_thread();
	MEMB.read_lock();
	bma_cache_free_rcu(c, bma_cache_alloc(c));
	cr_assert_eq(bma_shutdown(), -EDEADLK);
	cr_assert_eq(threads_now(), n);
	cr_assert_eq(rcu_stats(c).limbo_bytes, 0, "nothing was sealed");
	MEMB.read_unlock();
	MEMB.unregister_thread();
	cr_assert_eq(bma_shutdown(), 0);
	cr_assert_eq(stats(c).limbo, 0);
}

Test(rcu, a_section_may_free_and_is_waited_for, .timeout = 20)
{
	struct bma_cache *c = create(64);
	void *p[300];

	take_tagged(c, p, 300);
	MEMB.register_thread();
	MEMB.read_lock();
	free_rcu_all(c, p, 300);
	AWAIT(rcu_stats(c).running_ns);
	for (int i = 0; i < 50; i++) {
		nap();
		cr_assert_eq(stats(c).limbo, 300, "let go under its own section");
		cr_assert_eq(tagged_among(c, 5000), 0);
	}
	MEMB.read_unlock();
	AWAIT(!stats(c).limbo);
	cr_assert_eq(tagged_among(c, 40000), 300);
	MEMB.unregister_thread();
}

Test(rcu, any_size, .timeout = 20)
{
	static const size_t sizes[] = {1, 8, 24, 4096, 100 << 10, 1 << 20};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (unsigned int batch = 0; batch < 2; batch++) {
			struct bma_cache_attr a = attr(sizes[i]);
			struct bma_cache *c;
			unsigned char *p[20];

			a.batch = batch;
			c = make(&a);
			for (int k = 0; k < 20; k++) {
				p[k] = bma_cache_alloc_flags(c, BMA_SLEEP);
				p[k][0] = p[k][sizes[i] - 1] = (unsigned char)(k + 1);
			}
			free_rcu_all(c, (void **)p, 20);
			cr_assert_eq(bma_rcu_barrier(c), 0);
			cr_assert_eq(stats(c).limbo, 0);
			cr_assert_eq(bma_cache_alloc_bulk(c, (void **)p, 20, BMA_SLEEP), 20);
			free_rcu_all(c, (void **)p, 20);
			cr_assert_eq(bma_cache_destroy(c), 0, "size %zu", sizes[i]);
		}
	}
}

/*
 * One magazine for each grace period, with one object: many of them are no stock. When the depot has too many it is they
 * that go back to the slabs, and not the half of the reserve that nobody touched.
 */
Test(rcu, sparse_magazines_do_not_displace_the_stock)
{
	enum { N = 200 };
	struct bma_cache_attr a = attr(64);
	struct bma_cache *c;
	void *p[N];
	unsigned int n = 0;

	setenv("BMA_CONF", "worker:off", 1);
	a.batch = 62;
	a.reserve = 8 * 62;
	c = make(&a);
	for (int i = 0; i < N; i++)
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (int i = 0; i < N; i++) {
		bma_cache_free_rcu(c, p[i]);
		bma_poll(BMA_POLL_GP);
	}
	while (bma_cache_alloc(c))
		n++;
	cr_assert_geq(n, 4 * 62, "%u objects in stock", n);
}
