/* SPDX-License-Identifier: MIT */
/* Two threads fork at the same time, again and again: neither the parent nor a child may hang. */
#include <bma/bma.h>

#include <pthread.h>
#include <sys/wait.h>

#include "test.h"

#define FORKS 60

static struct bma_cache *cache;

static void *forker(void *arg)
{
	test_pin((unsigned int)(uintptr_t)arg);
	for (int i = 0; i < FORKS; i++) {
		pid_t pid = fork();
		int status;

		CHECK(pid >= 0, "fork");
		if (!pid) {
			void *p;

			alarm(10);
			p = bma_cache_alloc_flags(cache, BMA_SLEEP);
			bma_cache_free(cache, p);
			_exit(p ? 0 : 1);
		}
		waitpid(pid, &status, 0);
		CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "child: %x", status);
	}
	return NULL;
}

int main(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};
	struct bma_stats before, after;
	pthread_t t[2];

	alarm(100);
	cache = bma_cache_create(&a);
	CHECK(cache, "create");
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, forker, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	bma_stats_get(&before, sizeof before);
	CHECK(!bma_cache_destroy(cache), "destroy");
	CHECK(!bma_trim(), "trim");
	bma_stats_get(&after, sizeof after);
	CHECK(after.grace_periods > before.grace_periods, "no grace period ends any more");
	return 0;
}
