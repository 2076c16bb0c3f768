/* SPDX-License-Identifier: MIT */
/* What the programs in emulated machines share: they run nowhere else, and know what is to be found there. */
#ifndef BMA_VM_GUEST_H
#define BMA_VM_GUEST_H

#include "stress/crew.h"

#include <sys/wait.h>

/* Not on the machine of whoever starts it by hand: some of these programs switch CPUs off. */
static inline void guest_only(void)
{
	if (getenv("VM"))
		return;
	fprintf(stderr, "to be run by tests/vm/machine.sh\n");
	exit(CREW_SKIP);
}

/* How slots are found, and why. */
static inline void guest_mode(enum bma_mode mode, const char *reason)
{
	struct bma_stats s;

	MUST(!bma_stats_get(&s, sizeof s), "stats");
	MUST(s.mode == (uint32_t)mode, "mode %u (%s), wanted %d (%s)", s.mode, s.mode_reason, mode,
	     reason);
	MUST(!strcmp(s.mode_reason, reason), "mode %u because of \"%s\", not \"%s\"", s.mode,
	     s.mode_reason, reason);
}

/* The calling thread on CPU @cpu and nowhere else; false: there is none. */
static inline bool guest_pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	return !sched_setaffinity(0, sizeof one, &one);
}

/* Each line of the ledger; nobody is in a call. */
static inline void guest_ledger(struct bma_cache *cache, long live)
{
	struct bma_cache_stats s;
	uint64_t away;

	MUST(!bma_cache_stats_get(cache, &s, sizeof s), "stats");
	away = s.cached + s.limbo + s.parked + s.reserved + s.slab_free;
	MUST(s.live + away == s.carved, "live %llu, elsewhere %llu, carved %llu",
	     (unsigned long long)s.live, (unsigned long long)away, (unsigned long long)s.carved);
	MUST(s.live == (uint64_t)live, "live %llu, held %ld", (unsigned long long)s.live, live);
}

/* After a trim: nothing is kept anywhere, by no slot. */
static inline void guest_trimmed(struct bma_cache *cache)
{
	struct bma_cache_stats s;

	MUST(!bma_rcu_barrier(cache), "barrier");
	/* The worker may have a magazine in hand, of a refill that was asked for before. */
	for (int tries = 0; tries < 5; tries++) {
		MUST(!bma_trim(), "trim");
		MUST(!bma_cache_stats_get(cache, &s, sizeof s), "stats");
		if (!s.cached)
			break;
		usleep(100000);
	}
	MUST(s.live + s.cached + s.limbo + s.parked == 0,
	     "live %llu, cached %llu, in limbo %llu, parked %llu", (unsigned long long)s.live,
	     (unsigned long long)s.cached, (unsigned long long)s.limbo,
	     (unsigned long long)s.parked);
}

/* @run in a process of its own for each of the words of BMA_CONF: the library reads them once. */
static inline void guest_each(const char *const *words, size_t n, void (*run)(const char *word))
{
	for (size_t i = 0; i < n; i++) {
		int status = 0;
		pid_t pid;

		fflush(stdout);
		pid = fork();
		MUST(pid >= 0, "fork");
		if (!pid) {
			printf("%s\n", words[i]);
			crew_conf(words[i]);
			run(words[i]);
			exit(0);
		}
		MUST(waitpid(pid, &status, 0) == pid, "wait");
		MUST(!WIFSIGNALED(status), "%s: signal %d", words[i], WTERMSIG(status));
		/* It has said why. */
		if (status)
			exit(1);
	}
}

/* Objects that wait in boxes. */
static inline long guest_held(void)
{
	long n = 0;

	for (int i = 0; i < CREW_BOXES; i++)
		n += crew.box[i] != NULL;
	return n;
}

#endif /* BMA_VM_GUEST_H */
