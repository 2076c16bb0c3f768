/* SPDX-License-Identifier: MIT */
/*
 * Fork in mid-traffic: the child allocates, frees, refills, trims, makes and destroys caches, while
 * its parent's threads were anywhere, the grace-period thread inside synchronize_rcu included. With
 * a reader that was inside a read section a trim in the child gives up; nothing else may be stopped
 * by it.
 */
#include <bma/bma.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <urcu/urcu-memb.h>

#include "test.h"

#define FORKS 40
#define THREADS 3
#define N 2000

static struct bma_cache *cache;
static _Atomic int stop;

static void churn(struct bma_cache *c, int rounds)
{
	static _Thread_local void *objs[N];

	for (int r = 0; r < rounds; r++) {
		for (int i = 0; i < N; i++) {
			objs[i] = bma_cache_alloc_flags(c, i & 1 ? BMA_SLEEP : 0);
			CHECK(objs[i] || !(i & 1), "may sleep");
			if (objs[i])
				memset(objs[i], i, 64);
		}
		for (int i = 0; i < N; i++)
			bma_cache_free(c, objs[i]);
	}
}

static void *traffic(void *arg)
{
	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		churn(cache, 1);
		if (!arg)
			bma_trim();
	}
	return NULL;
}

static void *reader(void *arg)
{
	(void)arg;
	urcu_memb_register_thread();
	while (!stop) {
		urcu_memb_read_lock();
		usleep(2000);
		urcu_memb_read_unlock();
	}
	urcu_memb_unregister_thread();
	return NULL;
}

static void child(int readers)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 200};
	struct bma_cache *own;
	int rc;

	alarm(20);
	churn(cache, 3);
	own = bma_cache_create(&a);
	CHECK(own, "create in the child");
	churn(own, 1);
	CHECK(!bma_cache_destroy(own), "destroy in the child");
	rc = bma_trim();
	CHECK(!rc || (readers && rc == -ETIMEDOUT), "trim in the child: %d", rc);
	churn(cache, 1);
	_exit(0);
}

static void forks(int readers, int n)
{
	pthread_t t[THREADS + 1];
	int threads = THREADS + readers, status;

	stop = 0;
	for (uintptr_t i = 0; i < (uintptr_t)threads; i++)
		pthread_create(&t[i], NULL, i < THREADS ? traffic : reader, (void *)i);
	for (int i = 0; i < n; i++) {
		pid_t pid;

		usleep(500);
		pid = fork();
		CHECK(pid >= 0, "fork");
		if (!pid)
			child(readers);
		waitpid(pid, &status, 0);
		CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "child %d: status %x", i, status);
	}
	stop = 1;
	for (int i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
}

int main(int argc, char **argv)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "fork", .size = 64};
	struct bma_cache_stats s;

	test_args(argc, argv, 0);
	cache = bma_cache_create(&a);
	CHECK(cache, "create");
	forks(0, FORKS);
	forks(1, FORKS / 8);
	CHECK(!bma_trim(), "trim in the parent");
	bma_cache_stats_get(cache, &s, sizeof s);
	CHECK(s.live == 0, "the parent lost %llu", (unsigned long long)s.live);
	CHECK(!bma_cache_destroy(cache), "objects are missing");
	return 0;
}
