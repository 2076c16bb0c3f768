/* SPDX-License-Identifier: MIT */
/*
 * Fork with objects in limbo: what the child can wait for, and what it does where it cannot. Nothing but the
 * test itself begins a grace period.
 */
#include "rcu_fork.h"

static void child_that_waits(void)
{
	struct bma_stats s;
	void *p;

	MUST(!bma_stats_get(&s, sizeof s) && !s.grace_periods_frozen);
	MUST(stats(cache).limbo == N);
	MUST(!bma_rcu_barrier(cache));
	MUST(stats(cache).limbo == 0);
	MUST(stats(cache).live == 0);
	MUST(tagged_among(cache, 5000) == N);
	MUST(bma_poll(BMA_POLL_GP) >= 0);
	MUST(!bma_trim());
	MUST(!bma_shutdown());
	/* It may read, too, and is waited for then. */
	rcu->register_thread();
	rcu->read_lock();
	MUST(bma_poll(BMA_POLL_GP) >= 0); /* nothing waits */
	p = bma_cache_alloc_flags(cache, BMA_SLEEP);
	if (rcu != &urcu_qsbr_flavor)
		MUST(bma_cache_free_rcu_flags(cache, p, BMA_SLEEP) == -EDEADLK);
	rcu->read_unlock();
	MUST(!bma_cache_free_rcu_flags(cache, p, BMA_SLEEP));
	MUST(!bma_rcu_barrier(cache));
	rcu->unregister_thread();
	MUST(!bma_cache_destroy(cache));
}

static void without_readers(const struct rcu_flavor_struct *flavor)
{
	start(flavor, "worker:off");
	free_rcu_all(cache, objs, N);
	fork_and_check(child_that_waits);
	cr_assert_eq(rcu->read_ongoing(), 0);
	/* Aborts if the fork left this thread registered. */
	rcu->register_thread();
	rcu->unregister_thread();
	parent_goes_on();
}

Test(rcu_fork, without_readers_of_memb, .timeout = 30)
{
	without_readers(&urcu_memb_flavor);
}

Test(rcu_fork, without_readers_of_mb, .timeout = 30)
{
	without_readers(&urcu_mb_flavor);
}

Test(rcu_fork, without_readers_of_qsbr, .timeout = 30)
{
	without_readers(&urcu_qsbr_flavor);
}

Test(rcu_fork, without_readers_of_bp, .timeout = 30)
{
	without_readers(&urcu_bp_flavor);
}

static void child_that_forks(void)
{
	pid_t pid = fork();
	int status;

	if (pid)
		MUST(waitpid(pid, &status, 0) == pid && !status);
	child_that_waits();
}

Test(rcu_fork, a_child_of_a_child_waits, .timeout = 30)
{
	start(&urcu_memb_flavor, "worker:off");
	free_rcu_all(cache, objs, N);
	fork_and_check(child_that_forks);
	parent_goes_on();
}

/* Whatever needs no grace period, and all that does says so. */
static void child_that_cannot_wait(void)
{
	struct bma_cache *own = create_for(rcu), *other;
	struct bma_stats s;
	void *p[N];

	MUST(!bma_stats_get(&s, sizeof s) && s.grace_periods_frozen);
	MUST(rcu_stats(cache).frozen == 1);
	MUST(rcu_stats(cache).running_ns == 0);
	MUST(stats(cache).limbo == N);
	MUST(stats(cache).live == 0);
	MUST(bma_rcu_barrier(cache) == -ETIMEDOUT);
	MUST(bma_poll(BMA_POLL_GP) == -ETIMEDOUT);
	MUST(bma_trim() == -ETIMEDOUT);
	MUST(stats(cache).limbo == N);
	for (int round = 0; round < 3; round++)
		MUST(tagged_among(cache, 5000) == 0);
	take_tagged(cache, p, N);
	free_rcu_all(cache, p, N / 2);
	for (int i = N / 2; i < N; i++)
		MUST(!bma_cache_free_rcu_flags(cache, p[i], BMA_SLEEP));
	MUST(stats(cache).limbo == 2 * N);
	MUST(stats(cache).live == 0);
	MUST(bma_cache_destroy(cache) == -ETIMEDOUT);
	bma_cache_free(own, bma_cache_alloc_flags(own, BMA_SLEEP));
	MUST(!bma_cache_destroy(own));
	MUST(bma_shutdown() == -ETIMEDOUT);
	/* Other flavours go on. */
	other = create_for(rcu == &urcu_memb_flavor ? &urcu_mb_flavor : NULL);
	bma_cache_free_rcu(other, bma_cache_alloc(other));
	MUST(!bma_rcu_barrier(other));
	MUST(!bma_cache_destroy(other));
}

static void with_a_reader(const struct rcu_flavor_struct *flavor)
{
	struct reader r;

	start(flavor, "worker:off");
	reader_enter(&r, flavor);
	free_rcu_all(cache, objs, N);
	fork_and_check(child_that_cannot_wait);
	reader_leave(&r);
	parent_goes_on();
}

Test(rcu_fork, with_a_reader_of_memb, .timeout = 30)
{
	with_a_reader(&urcu_memb_flavor);
}

Test(rcu_fork, with_a_reader_of_mb, .timeout = 30)
{
	with_a_reader(&urcu_mb_flavor);
}

Test(rcu_fork, with_a_reader_of_qsbr, .timeout = 30)
{
	with_a_reader(&urcu_qsbr_flavor);
}

/* Readers of bp stand where a child finds them, and drops those that are not there. */
Test(rcu_fork, with_a_reader_of_bp, .timeout = 30)
{
	struct reader r;

	start(&urcu_bp_flavor, "worker:off");
	reader_enter(&r, &urcu_bp_flavor);
	free_rcu_all(cache, objs, N);
	fork_and_check(child_that_waits);
	reader_leave(&r);
	parent_goes_on();
}
