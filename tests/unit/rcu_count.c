/* SPDX-License-Identifier: MIT */
/* Deferred frees: what is counted, and who lets it go where there is no thread. */
#include "reader.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>

static struct bma_cache *create_unattended(size_t size, uint32_t batch)
{
	struct bma_cache_attr a = attr(size);

	setenv("BMA_CONF", "worker:off", 1);
	a.batch = batch;
	return make(&a);
}

static void assert_ledger(struct bma_cache *c, uint64_t live, uint64_t limbo)
{
	struct bma_cache_stats s = stats(c);

	cr_assert_eq(s.live, live);
	cr_assert_eq(s.limbo, limbo);
	cr_assert_eq(s.live + s.cached + s.limbo + s.parked + s.reserved + s.slab_free, s.carved);
}

/* In a slot, sealed, and let go. */
Test(rcu_count, the_ledger_adds_up_at_every_stage)
{
	enum { N = 1000 };
	struct bma_cache *c = create_unattended(64, 30);
	struct bma_rcu_stats r;
	void *p[N];

	take_tagged(c, p, N);
	assert_ledger(c, N, 0);
	free_rcu_all(c, p, 10);
	assert_ledger(c, N - 10, 10);
	cr_assert_eq(rcu_stats(c).limbo_bytes, 0, "they gather in a slot");
	free_rcu_all(c, p + 10, N - 20);
	assert_ledger(c, 10, N - 10);
	r = rcu_stats(c);
	cr_assert_gt(r.limbo_bytes, 0);
	cr_assert_eq(r.limbo_bytes % (30 * 64), 0, "whole magazines");
	cr_assert_eq(r.limbo_peak_bytes, r.limbo_bytes);
	cr_assert_eq(r.limbo_bytes, stats(c).limbo_peak * 64);
	cr_assert_eq(r.grace_periods, 0);
	cr_assert_eq(bma_rcu_barrier(c), 0);
	assert_ledger(c, 10, 0);
	r = rcu_stats(c);
	cr_assert_eq(r.limbo_bytes, 0);
	cr_assert_geq(r.limbo_peak_bytes, (N - 10) * 64);
	cr_assert_geq(r.grace_periods, 1);
	cr_assert_eq(r.running_ns, 0);
	cr_assert_eq(r.frozen, 0);
}

Test(rcu_count, figures_of_a_flavour_are_asked_for_by_number)
{
	union {
		struct bma_rcu_stats s;
		unsigned char bytes[sizeof(struct bma_rcu_stats)];
	} u;

	cr_assert_eq(bma_rcu_stats_get(0, &u.s, sizeof u), -ENOENT);
	create_unattended(64, 0);
	cr_assert_eq(bma_rcu_stats_get(1, &u.s, sizeof u), -ENOENT);
	cr_assert_eq(bma_rcu_stats_get(0, NULL, sizeof u), -EINVAL);
	cr_assert_eq(bma_rcu_stats_get(0, &u.s, 0), -EINVAL);
	memset(&u, 0xaa, sizeof u);
	cr_assert_eq(bma_rcu_stats_get(0, &u.s, 5), 0);
	cr_assert_eq(memcmp(u.bytes, "memb", 5), 0);
	for (size_t i = 5; i < sizeof u; i++)
		cr_assert_eq(u.bytes[i], 0xaa, "byte %zu", i);
}

Test(rcu_count, polls_let_go_without_a_thread)
{
	enum { N = 400 };
	struct bma_cache *c = create_unattended(64, 30);
	void *p[N];

	take_tagged(c, p, N);
	free_rcu_all(c, p, N);
	cr_assert_geq(bma_poll(0), 0);
	cr_assert_eq(stats(c).limbo, N, "not asked to wait");
	cr_assert_eq(tagged_among(c, 2 * N), 0);
	cr_assert_geq(bma_poll(BMA_POLL_GP), 0);
	cr_assert_eq(stats(c).limbo, 0);
	cr_assert_eq(tagged_among(c, 4 * N), N);
}

Test(rcu_count, a_trim_gives_back_what_was_in_limbo)
{
	enum { N = 20000 };
	static void *p[N];
	struct bma_cache *c = create_unattended(256, 0);
	struct bma_stats s;

	take_tagged(c, p, N);
	free_rcu_all(c, p, N);
	cr_assert_eq(bma_trim(), 0);
	assert_ledger(c, 0, 0);
	cr_assert_eq(stats(c).carved, 0);
	bma_stats_get(&s, sizeof s);
	cr_assert_eq(s.slab_bytes, 0);
	cr_assert_eq(s.purge_bytes, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* More slots than are flushed with one fence. */
Test(rcu_count, many_caches_are_flushed_at_once)
{
	enum { CACHES = 600 };
	static struct bma_cache *c[CACHES];

	for (int i = 0; i < CACHES; i++) {
		c[i] = create_unattended(64, 6);
		bma_cache_free_rcu(c[i], bma_cache_alloc(c[i]));
		bma_cache_free_rcu(c[i], bma_cache_alloc(c[i]));
	}
	cr_assert_eq(rcu_stats(c[0]).limbo_bytes, 0);
	cr_assert_eq(bma_rcu_barrier(c[0]), 0);
	for (int i = 0; i < CACHES; i++)
		assert_ledger(c[i], 0, 0);
	cr_assert_leq(rcu_stats(c[0]).grace_periods, 2, "one for all");
	for (int i = 0; i < CACHES; i++)
		cr_assert_eq(bma_cache_destroy(c[i]), 0);
}

/* What gathers is left alone for as long as BMA_CONF says. Where the machine stood still this tests nothing. */
Test(rcu_count, the_flush_time_is_kept)
{
	struct bma_cache *c;
	uint64_t begun = now_ns(), sealed;

	setenv("BMA_CONF", "gp_flush_ms:1000", 1);
	c = create(64);
	bma_cache_free_rcu(c, bma_cache_alloc(c));
	while (now_ns() - begun < 60000000)
		nap();
	sealed = rcu_stats(c).limbo_bytes + rcu_stats(c).grace_periods;
	cr_assert(!sealed || now_ns() - begun > 900000000, "flushed early");
}

Test(rcu_count, errno_is_left_alone)
{
	enum { N = 5000 };
	static void *p[N];
	struct bma_cache *c = create(64);

	for (int round = 0; round < 5; round++) {
		take_tagged(c, p, N);
		errno = 77;
		free_rcu_all(c, p, N); /* its slow halves wake threads */
		cr_assert_eq(errno, 77);
	}
}

static struct bma_cache *interrupted;
static void *stock[4000];
static volatile sig_atomic_t left, handled;

static void free_in_handler(int sig)
{
	(void)sig;
	handled++;
	for (int i = 0; i < 10 && left; i++) {
		void *p = bma_cache_alloc(interrupted);

		bma_cache_free_rcu(interrupted, stock[--left]);
		bma_cache_free_rcu(interrupted, p);
	}
}

/* What the handler frees, and what the call that it interrupted frees, is all there after. */
Test(rcu_count, a_handler_may_free, .timeout = 30)
{
	struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
	struct bma_cache_attr a = attr(64);

	a.batch = 6; /* slow halves are interrupted, too */
	interrupted = make(&a);
	take_tagged(interrupted, stock, 4000);
	left = 4000;
	signal(SIGALRM, free_in_handler);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; left || i < 20000; i++)
		bma_cache_free_rcu(interrupted, bma_cache_alloc_flags(interrupted, BMA_SLEEP));
	setitimer(ITIMER_REAL, &never, NULL);
	cr_assert_geq(handled, 400);
	cr_assert_eq(bma_rcu_barrier(interrupted), 0);
	assert_ledger(interrupted, 0, 0);
	cr_assert_eq(bma_cache_destroy(interrupted), 0);
}
