/* SPDX-License-Identifier: MIT */
/*
 * Threads that the C library did not register, or that unregistered: their rseq area reads
 * concurrency id 0, which belongs to somebody else. They must use guest slots; an index taken from
 * there would corrupt the slot of a thread that runs at the same time.
 */
#include <bma/bma.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include "test.h"

#define ROUNDS 3000
#define N 300

static struct bma_cache *cache;

static void churn(void)
{
	_Atomic uint64_t *objs[N];

	for (int r = 0; r < ROUNDS; r++) {
		int n = 0;

		while (n < N && (objs[n] = bma_cache_alloc(cache))) {
			CHECK(atomic_exchange(objs[n], 1) == 0, "given out twice");
			n++;
		}
		while (n) {
			atomic_store(objs[--n], 0);
			bma_cache_free(cache, (void *)(uintptr_t)objs[n]);
		}
	}
}

static void *unregistered(void *unused)
{
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	long rc = syscall(SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);

	(void)unused;
	CHECK(!rc || errno == ENOSYS || errno == EINVAL, "unregister: %d", errno);
	test_pin(1);
	churn();
	return NULL;
}

static void *registered(void *unused)
{
	(void)unused;
	test_pin(0);
	churn();
	return NULL;
}

int main(void)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .name = "unregistered", .size = 64, .reserve = 20000};
	void *(*const mains[])(void *) = {registered, unregistered, unregistered};
	struct bma_cache_stats s;
	pthread_t t[3];

	cache = bma_cache_create(&a);
	CHECK(cache, "create");
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, mains[i], NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	bma_shutdown();
	bma_cache_stats_get(cache, &s, sizeof s);
	CHECK(s.live == 0, "lost %llu", (unsigned long long)s.live);
	CHECK(!bma_cache_destroy(cache), "objects are missing");
	return 0;
}
