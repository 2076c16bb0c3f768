/* SPDX-License-Identifier: MIT */
/* The limit of what may wait for a grace period: who keeps it, and who passes it. */
#include "reader.h"

#define MEMB urcu_memb_flavor

static _Atomic int stop;
static _Atomic bool reading;

/* Grace periods that take a while: else nothing ever waits. */
static void *slow_reader(void *unused)
{
	MEMB.register_thread();
	while (!stop) {
		MEMB.read_lock();
		reading = true;
		for (int i = 0; i < 10; i++)
			nap();
		MEMB.read_unlock();
	}
	MEMB.unregister_thread();
	return unused;
}

#define LIMIT 512 /* objects */
#define FREES 5000

static _Atomic int refused;

static void *free_and_wait(void *cache)
{
	for (int i = 0; i < FREES; i++) {
		void *p = bma_cache_alloc_flags(cache, BMA_SLEEP);

		refused += !p || bma_cache_free_rcu_flags(cache, p, BMA_SLEEP);
	}
	return NULL;
}

static struct bma_cache *create_limited(void)
{
	struct bma_cache_attr a = attr(64);

	a.limbo_max = LIMIT * 64;
	a.batch = 30;
	return make(&a);
}

Test(rcu_limit, frees_that_may_sleep_keep_the_limit, .timeout = 30)
{
	struct bma_cache *c = create_limited();
	pthread_t t[2], slow;
	struct bma_cache_stats s;

	pthread_create(&slow, NULL, slow_reader, NULL);
	AWAIT(reading); /* or the frees are over before any has to wait */
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, free_and_wait, c);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	stop = 1;
	pthread_join(slow, NULL);
	cr_assert_eq(refused, 0);
	s = stats(c);
	cr_assert_eq(s.limbo_max, LIMIT);
	cr_assert_geq(s.limbo_peak, LIMIT, "else this tests nothing");
	cr_assert_leq(s.limbo_peak, LIMIT + s.slots_used * s.capacity);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* @limbo_overruns counts what any-context calls freed. */
Test(rcu_limit, frees_that_may_sleep_do_not_overrun, .timeout = 30)
{
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 1);
	c = create_limited();
	free_and_wait(c);
	cr_assert_eq(refused, 0);
	cr_assert_geq(stats(c).limbo_peak, LIMIT, "else this tests nothing");
	cr_assert_eq(stats(c).limbo_overruns, 0);
}

Test(rcu_limit, frees_from_any_context_pass_the_limit_and_are_counted)
{
	enum { N = 3000 };
	static void *p[N];
	struct bma_cache *c;
	struct bma_cache_stats s;

	setenv("BMA_CONF", "worker:off", 1);
	c = create_limited();
	take_tagged(c, p, N);
	free_rcu_all(c, p, LIMIT);
	cr_assert_eq(stats(c).limbo_overruns, 0);
	free_rcu_all(c, p + LIMIT, N - LIMIT);
	s = stats(c);
	cr_assert_eq(s.limbo, N);
	cr_assert_geq(s.limbo_overruns, N - LIMIT - s.slots_used * s.capacity);
	cr_assert_leq(s.limbo_overruns, N - LIMIT + s.capacity);
	cr_assert_eq(bma_rcu_barrier(c), 0);
}

/* Free more than half of the limit. Did the sealed ones go before what still gathers was flushed? */
static bool goes_early(struct bma_cache *c)
{
	enum { N = LIMIT / 2 + 35 };
	uint64_t periods = rcu_stats(c).grace_periods, limbo;
	void *p[N];

	take_tagged(c, p, N);
	free_rcu_all(c, p, N);
	AWAIT(rcu_stats(c).grace_periods > periods && !rcu_stats(c).limbo_bytes);
	limbo = stats(c).limbo;
	cr_assert_leq(limbo, stats(c).capacity * stats(c).slots_used);
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_eq(tagged_among(c, 5000), N);
	return limbo != 0;
}

/* Three times, should the machine stand still for a second in one. */
Test(rcu_limit, half_way_a_grace_period_begins, .timeout = 20)
{
	struct bma_cache *c;

	setenv("BMA_CONF", "gp_flush_ms:1000", 1);
	c = create_limited();
	cr_assert(goes_early(c) || goes_early(c) || goes_early(c));
}

Test(rcu_limit, by_default_64_mib_may_wait)
{
	cr_assert_eq(stats(create(64)).limbo_max, (64u << 20) / 64);
	cr_assert_eq(stats(create(4096)).limbo_max, (64u << 20) / 4096);
}
