/* SPDX-License-Identifier: MIT */
/*
 * A storm of forks: threads allocate, free and free after a grace period while the main thread
 * forks. Each child allocates, frees, trims, makes and destroys a cache of its own, and ends; one of
 * eight forks once more before.
 *
 * Property: a child finds every structure whole, can do all that its parent could, and neither of
 * them hangs. Objects that other threads of the parent held are never handed out in the child.
 * It breaks if a lock of the library is not taken at the fork, if the child waits for a thread that
 * is not there (ticket, pin, owner of a guest, worker), or if a stack is copied half changed.
 *
 * Words: guest, threads=N, batch=N.
 */
#include "crew.h"

#include <sys/wait.h>

#define THREADS 3
#define CHILD_SECONDS 30

static _Atomic long ops, frozen;

static void *thread(void *arg)
{
	uint64_t rng = crew_seed((uintptr_t)arg);
	long n = 0;

	test_pin((unsigned int)(uintptr_t)arg);
	for (; !atomic_load_explicit(&crew.stop, memory_order_relaxed); n++) {
		crew_step(&rng, n & 3 ? 0 : BMA_SLEEP);
		if (!(n & 255))
			crew_burst(&rng, n & 256 ? BMA_SLEEP : 0);
		if (!arg && !(n & 0x3fff))
			MUST(!bma_trim(), "trim");
	}
	atomic_fetch_add(&ops, n);
	return NULL;
}

/* 0, or that no grace period can end, if the statistics say so, too. */
static void may_be_frozen(int rc, const char *call)
{
	struct bma_stats s;

	bma_stats_get(&s, sizeof s);
	MUST(!rc || (rc == -ETIMEDOUT && s.grace_periods_frozen), "%s in the child: %d", call, rc);
}

static void own_cache(uint64_t *rng)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "own"};
	struct bma_cache *c;
	void *objs[300];

	a.size = 8 + test_random(rng) % 1000;
	c = bma_cache_create(&a);
	MUST(c, "create in the child: %s", strerror(errno));
	MUST(bma_cache_alloc_bulk(c, objs, 300, BMA_SLEEP) == 300, "may sleep");
	for (int i = 0; i < 300; i++)
		memset(objs[i], i, a.size);
	bma_cache_free_bulk(c, objs, 200);
	for (int i = 200; i < 300; i++)
		bma_cache_free_rcu(c, objs[i]);
	may_be_frozen(bma_cache_destroy(c), "destroy");
}

static void child(uint64_t rng, int depth);

static void fork_once(uint64_t seed, int depth)
{
	int status = 0;
	pid_t pid = fork();

	MUST(pid >= 0, "fork: %s", strerror(errno));
	if (!pid)
		child(seed, depth);
	MUST(waitpid(pid, &status, 0) == pid, "wait: %s", strerror(errno));
	MUST(WIFEXITED(status), "child ended by signal %d", WTERMSIG(status));
	MUST(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3, "child: status %d",
	     WEXITSTATUS(status));
	if (WEXITSTATUS(status) == 3)
		frozen++;
}

static void child(uint64_t rng, int depth)
{
	struct bma_stats s;

	alarm(CHILD_SECONDS);
	for (int i = 0; i < 300; i++)
		crew_step(&rng, i & 1 ? BMA_SLEEP : 0);
	crew_burst(&rng, BMA_SLEEP);
	crew_burst(&rng, 0);
	MUST(crew_get(BMA_SLEEP), "may sleep");
	if (test_random(&rng) >> 33 & 1)
		own_cache(&rng);
	may_be_frozen(bma_trim(), "trim");
	may_be_frozen(bma_rcu_barrier(crew.cache), "barrier");
	own_cache(&rng);
	for (int i = 0; i < 300; i++)
		crew_step(&rng, i & 1 ? BMA_SLEEP : 0);
	if (!depth && !(test_random(&rng) >> 33 & 7))
		fork_once(test_random(&rng), 1);
	bma_stats_get(&s, sizeof s);
	_exit(s.grace_periods_frozen ? 3 : 0);
}

int main(int argc, char **argv)
{
	double end = crew_args(argc, argv, 2) + test_seconds();
	int threads = (int)crew_number("threads", THREADS);
	uint64_t rng = crew_seed(CREW_MAX);
	pthread_t t[CREW_MAX];
	long forks = 0;

	MUST(threads > 0 && threads <= CREW_MAX, "threads=%d", threads);
	crew_create("forks");
	fflush(stdout);
	crew_start(t, threads, thread);
	for (; test_seconds() < end; forks++) {
		usleep((unsigned int)(test_random(&rng) >> 33 & 1023));
		fork_once(test_random(&rng), 0);
	}
	crew_join(t, threads);
	printf("forks %ld frozen %ld operations %ld\n", forks, (long)frozen, (long)ops);
	crew_end();
	return 0;
}
