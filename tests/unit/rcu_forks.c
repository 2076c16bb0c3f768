/* SPDX-License-Identifier: MIT */
/* Fork while the library's threads are in the middle of something, or the forking thread is a reader. */
#include "rcu_fork.h"

#include "dtor.h"

#define MEMB urcu_memb_flavor
#define QSBR urcu_qsbr_flavor

/* Its threads are not those of the parent; the first call that sleeps starts them. */
static void child_that_is_silent(void)
{
	void *p;

	MUST(!bma_rcu_barrier(cache));
	take_tagged(cache, &p, 1);
	bma_cache_free_rcu(cache, p);
	AWAIT(!stats(cache).limbo);
	MUST(!bma_cache_destroy(cache));
}

Test(rcu_forks, the_threads_come_back, .timeout = 30)
{
	start(&MEMB, "worker:on");
	free_rcu_all(cache, objs, N);
	fork_and_check(child_that_is_silent);
	parent_goes_on();
}

static void child_of_a_reader(void)
{
	MUST(rcu_stats(cache).frozen == 0);
	if (rcu != &QSBR)
		MUST(bma_rcu_barrier(cache) == -EDEADLK);
	rcu->read_unlock();
	MUST(!bma_rcu_barrier(cache));
	MUST(stats(cache).limbo == 0 && stats(cache).live == 0);
	if (rcu == &QSBR)
		MUST(rcu->read_ongoing());
	rcu->unregister_thread();
	MUST(!rcu->read_ongoing());
	MUST(!bma_cache_destroy(cache));
}

/* The forking thread is the only one, and inside its section. */
static void by_a_reader(const struct rcu_flavor_struct *flavor)
{
	start(flavor, "worker:off");
	rcu->register_thread();
	rcu->read_lock();
	free_rcu_all(cache, objs, N);
	fork_and_check(child_of_a_reader);
	rcu->read_unlock();
	cr_assert_eq(rcu->read_ongoing() != 0, rcu == &QSBR, "still registered");
	parent_goes_on();
	rcu->unregister_thread();
}

Test(rcu_forks, by_a_reader_of_memb, .timeout = 30)
{
	by_a_reader(&MEMB);
}

Test(rcu_forks, by_a_reader_of_mb, .timeout = 30)
{
	by_a_reader(&urcu_mb_flavor);
}

Test(rcu_forks, by_a_reader_of_qsbr, .timeout = 30)
{
	by_a_reader(&QSBR);
}

static void child_of_a_running_period(void)
{
	struct bma_stats s;

	MUST(rcu_stats(cache).frozen == 1);
	MUST(rcu_stats(cache).running_ns == 0);
	MUST(stats(cache).limbo == N);
	MUST(stats(cache).live == 0);
	MUST(bma_rcu_barrier(cache) == -ETIMEDOUT);
	MUST(rcu_stats(cache).limbo_bytes == N * 64);
	MUST(bma_trim() == -ETIMEDOUT);
	MUST(tagged_among(cache, 5000) == 0);
	MUST(stats(cache).limbo == N);
	MUST(!bma_stats_get(&s, sizeof s) && s.purge_bytes >= 65536);
}

/* What the period was for, objects and slabs, waits in the child. */
Test(rcu_forks, while_a_period_runs, .timeout = 30)
{
	struct bma_cache *gone;
	struct reader r;

	start(&MEMB, "worker:on");
	gone = create(64);
	reader_enter(&r, &MEMB);
	bma_cache_free(gone, bma_cache_alloc(gone));
	cr_assert_eq(bma_cache_destroy(gone), 0);
	free_rcu_all(cache, objs, N);
	AWAIT(rcu_stats(cache).running_ns);
	fork_and_check(child_of_a_running_period);
	reader_leave(&r);
	parent_goes_on();
}

static void child_after_the_wait(void)
{
	MUST(rcu_stats(cache).frozen == 0);
	MUST(!bma_rcu_barrier(cache));
	MUST(stats(cache).limbo == 0 && stats(cache).live == 0);
	MUST(!bma_cache_destroy(cache));
}

/* With bp a child can always wait: also if a period was about to begin when the program locked for the fork. */
Test(rcu_forks, while_a_period_of_bp_is_to_begin, .timeout = 30)
{
	pid_t pid;
	int status;

	start(&urcu_bp_flavor, "worker:on");
	urcu_bp_before_fork();
	free_rcu_all(cache, objs, N);
	AWAIT(rcu_stats(cache).running_ns);
	pid = fork();
	if (!pid) {
		urcu_bp_after_fork_child();
		alarm(5);
		child_after_the_wait();
		_exit(0);
	}
	urcu_bp_after_fork_parent();
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0, "status %x", (unsigned int)status);
	parent_goes_on();
}

static _Atomic int released;

static void wait_for_release(void *obj)
{
	(void)obj;
	AWAIT(released);
}

/* What the worker had in hand is lost to the child, which is not stopped by it. */
static void child_of_a_destructor(void)
{
	struct bma_cache *own;
	int rc;

	dtor.also = NULL;
	MUST(bma_poll(0) >= 0);
	own = create_for(NULL);
	bma_cache_free_rcu(own, bma_cache_alloc(own));
	MUST(!bma_rcu_barrier(own));
	MUST(!bma_cache_destroy(own));
	MUST(!bma_rcu_barrier(cache));
	rc = bma_cache_destroy(cache);
	MUST(!rc || rc == -EBUSY);
	MUST(!bma_trim());
	MUST(!bma_shutdown());
}

static void while_a_destructor_runs(uint64_t flags)
{
	struct bma_cache_attr a = attr_destructed(flags);

	start(&MEMB, "gp_flush_ms:1");
	cr_assert_eq(bma_cache_destroy(cache), -EBUSY);
	bma_cache_free_bulk(cache, objs, N);
	cr_assert_eq(bma_cache_destroy(cache), 0);
	a.batch = 30;
	cache = make(&a);
	dtor.also = wait_for_release;
	take_tagged(cache, objs, N);
	bma_cache_free_bulk(cache, objs, N);
	if (!flags) {
		MEMB.register_thread();
		MEMB.read_lock();
		cr_assert_eq(bma_trim(), -EDEADLK); /* it must not wait for the destructor */
		MEMB.read_unlock();
		MEMB.unregister_thread();
	}
	AWAIT(dtor.inside);
	fork_and_check(child_of_a_destructor);
	released = 1;
	cr_assert_eq(bma_cache_destroy(cache), 0);
}

Test(rcu_forks, while_a_destructor_runs_on_a_slab, .timeout = 30)
{
	while_a_destructor_runs(0);
}

Test(rcu_forks, while_a_destructor_runs_on_a_freed_object, .timeout = 30)
{
	while_a_destructor_runs(BMA_CACHE_DTOR_RECYCLE);
}
