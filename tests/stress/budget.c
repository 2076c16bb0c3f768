/* SPDX-License-Identifier: MIT */
/*
 * Many caches, a budget for a few of their slots, and slots that are idle after some milliseconds.
 *
 * Threads work on caches by turns: a burst on one, so that its slot grows, then another. They move between CPUs. One thread trims, another
 * destroys caches and makes new ones, another forks: the child must find the same sum and go on. The worker takes from who is idle and
 * from who grew. At each look the budget must not be exceeded; a sum from which too much was taken is a huge one. At
 * the end every cache must have what the test holds, nothing, and after a trim nothing may be charged.
 *
 * Words: caches=N, threads=N, nofork.
 */
#include <bma/bma.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "test.h"

#define CACHES_MAX 1000
#define BURST 600
#define ALIVE 0xa11ce
#define DEAD 0xdead

static struct bma_cache *cache[CACHES_MAX];
/* Who works on a cache; who replaces it takes them all. */
static pthread_rwlock_t lock[CACHES_MAX];
static unsigned int ncaches = 300, nthreads = 4;
static _Atomic int stop;
static _Atomic long bursts, replaced, forks;
static _Atomic uint64_t refused, drains, grows;

static struct bma_cache *make(unsigned int i)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .name = "budget", .size = 64 + i % 8 * 48};
	struct bma_cache *c = bma_cache_create(&a);

	CHECK(c, "cache %u", i);
	return c;
}

static void within(const char *when)
{
	struct bma_stats s;

	bma_stats_get(&s, sizeof s);
	CHECK(s.cache_budget_used <= s.cache_budget, "%s: %llu of %llu", when,
	      (unsigned long long)s.cache_budget_used, (unsigned long long)s.cache_budget);
}

static void burst(struct bma_cache *c, unsigned int n)
{
	uint64_t *p[BURST];

	for (unsigned int i = 0; i < n; i++) {
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		CHECK(p[i], "no memory");
		CHECK(*p[i] != ALIVE, "handed out twice");
		*p[i] = ALIVE;
	}
	for (unsigned int i = 0; i < n; i++) {
		CHECK(*p[i] == ALIVE, "somebody else's");
		*p[i] = DEAD;
		bma_cache_free(c, p[i]);
	}
}

static void *work(void *arg)
{
	uint64_t r = test_seed ^ ((uintptr_t)arg + 1) * 0x9e3779b97f4a7c15u;

	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		unsigned int i = (unsigned int)(test_random(&r) >> 33) % ncaches;

		if (test_random(&r) >> 59 == 0)
			test_pin((unsigned int)(r >> 40));
		pthread_rwlock_rdlock(&lock[i]);
		for (int again = 0; again < 4; again++)
			burst(cache[i], 1 + (unsigned int)(test_random(&r) >> 33) % BURST);
		pthread_rwlock_unlock(&lock[i]);
		atomic_fetch_add(&bursts, 4);
	}
	return NULL;
}

static void look(struct bma_cache *c, unsigned int i)
{
	struct bma_cache_stats s;

	bma_cache_stats_get(c, &s, sizeof s);
	CHECK(!s.live, "cache %u: %llu live", i, (unsigned long long)s.live);
	atomic_fetch_add(&refused, s.budget_refused);
	atomic_fetch_add(&drains, s.idle_drains);
	atomic_fetch_add(&grows, s.slot_grows);
}

static void *replace(void *arg)
{
	uint64_t r = test_seed * 3;

	(void)arg;
	while (!stop) {
		unsigned int i = (unsigned int)(test_random(&r) >> 33) % ncaches;

		pthread_rwlock_wrlock(&lock[i]);
		look(cache[i], i);
		CHECK(!bma_cache_destroy(cache[i]), "cache %u", i);
		cache[i] = make(i);
		pthread_rwlock_unlock(&lock[i]);
		atomic_fetch_add(&replaced, 1);
		within("a cache was replaced");
		usleep(3000);
	}
	return NULL;
}

static void *trim(void *arg)
{
	(void)arg;
	while (!stop) {
		usleep(50000);
		bma_trim();
		within("trimmed");
	}
	return NULL;
}

/* Caches of its own: others may be in the hands of threads that are not there. */
static int in_child(void)
{
	struct bma_cache *c = make(0);

	within("in the child");
	for (int i = 0; i < 8; i++)
		burst(c, BURST);
	if (bma_cache_destroy(c))
		return 1;
	within("at the child's end");
	return 0;
}

static void *forker(void *arg)
{
	(void)arg;
	while (!stop) {
		int status;
		pid_t pid = fork();

		CHECK(pid >= 0, "fork");
		if (!pid) {
			alarm(30);
			_exit(in_child());
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0, "the child: %x", status);
		atomic_fetch_add(&forks, 1);
		usleep(20000);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	double seconds = test_args(argc, argv, 2), end;
	pthread_t t[70];
	unsigned int n = 0;
	struct bma_stats s;
	bool fork_too = true;

	for (int i = 3; i < argc; i++) {
		if (!strncmp(argv[i], "caches=", 7))
			ncaches = (unsigned int)atoi(argv[i] + 7);
		else if (!strncmp(argv[i], "threads=", 8))
			nthreads = (unsigned int)atoi(argv[i] + 8);
		else
			fork_too = strcmp(argv[i], "nofork") != 0;
	}
	setenv("BMA_CONF", "cache_budget:1,idle_ms:8", 0);
	for (unsigned int i = 0; i < ncaches; i++) {
		cache[i] = make(i);
		pthread_rwlock_init(&lock[i], NULL);
	}
	for (n = 0; n < nthreads; n++)
		pthread_create(&t[n], NULL, work, (void *)(uintptr_t)n);
	pthread_create(&t[n++], NULL, replace, NULL);
	pthread_create(&t[n++], NULL, trim, NULL);
	if (fork_too)
		pthread_create(&t[n++], NULL, forker, NULL);
	end = test_seconds() + seconds;
	while (test_seconds() < end) {
		within("meanwhile");
		bma_poll(0);
		usleep(1000);
	}
	stop = 1;
	while (n)
		pthread_join(t[--n], NULL);
	for (unsigned int i = 0; i < ncaches; i++)
		look(cache[i], i);
	bma_trim();
	bma_stats_get(&s, sizeof s);
	CHECK(!s.cache_budget_used, "%llu is still charged",
	      (unsigned long long)s.cache_budget_used);
	for (unsigned int i = 0; i < ncaches; i++)
		CHECK(!bma_cache_destroy(cache[i]), "cache %u", i);
	printf("%ld bursts, %ld caches replaced, %ld forks, %llu grows, %llu idle slots, %llu "
	       "refused\n",
	       bursts, replaced, forks, (unsigned long long)grows, (unsigned long long)drains,
	       (unsigned long long)refused);
	CHECK(grows && drains && refused, "nothing of it came about");
	return 0;
}
