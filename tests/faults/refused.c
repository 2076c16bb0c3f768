/* SPDX-License-Identifier: MIT */
/* Machines that refuse something from the start, or run out of addresses. Each in a process of its own. */
#include "inject.h"
#include "scenario.h"

#include <bma/bma.h>

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "test.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

static struct bma_stats stats(void)
{
	struct bma_stats st;

	bma_stats_get(&st, sizeof st);
	return st;
}

static void play_unharmed(void)
{
	scenario_play();
	CHECK(!scenario_refused(), "a creation failed");
	scenario_end();
	CHECK(!stats().caches, "caches were left");
}

static void no_membarrier(void)
{
	inject_arm(INJECT_MEMBARRIER, 1, true);
	play_unharmed();
	CHECK(stats().mode == BMA_MODE_GUEST, "mode %u", stats().mode);
}

/* The registration is granted, the fence is not. */
static void no_fence(void)
{
	inject_arm(INJECT_MEMBARRIER, 2, true);
	play_unharmed();
	CHECK(stats().mode == BMA_MODE_GUEST, "mode %u", stats().mode);
}

static void no_placement(void)
{
	setenv("HWLOC_SYNTHETIC", "numa:2 core:2 pu:1", 1);
	inject_arm(INJECT_BIND, 1, true);
	play_unharmed();
	/* Builds without hwloc see one node. */
	CHECK(stats().nodes == 1 || (stats().nodes == 2 && inject_failed() > 0),
	      "%llu nodes, %ld refusals", (unsigned long long)stats().nodes, inject_failed());
}

/* bma_poll() does what the threads would have done. */
static void no_threads(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};
	struct bma_cache *c;
	void **chain = NULL, **obj;

	setenv("BMA_CONF", "worker:on", 1);
	inject_arm(INJECT_THREAD, 1, true);
	c = bma_cache_create(&a);
	CHECK(c, "create");
	errno = 0;
	while ((obj = bma_cache_alloc(c))) {
		*obj = chain;
		chain = obj;
	}
	CHECK(!errno, "errno %d", errno);
	CHECK(bma_poll(0) > 0, "nothing was refilled");
	obj = bma_cache_alloc(c);
	CHECK(obj, "poll brought nothing");
	bma_cache_free(c, obj);
	while ((obj = chain)) {
		chain = *obj;
		bma_cache_free(c, obj);
	}
	CHECK(!bma_cache_destroy(c), "destroy");
	CHECK(bma_poll(BMA_POLL_GP) >= 0 && !stats().purge_bytes, "no grace period");
	CHECK(!bma_trim() && !stats().slab_bytes, "trim");
	play_unharmed();
	CHECK(inject_failed() > 2, "tried again: %ld", inject_failed());
}

/* Let the process have @more bytes of addresses than it has now. */
static void limit_addresses(size_t more)
{
	struct rlimit lim;
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f && fscanf(f, "%lu", &pages) == 1, "statm");
	fclose(f);
	getrlimit(RLIMIT_AS, &lim);
	lim.rlim_cur = more == SIZE_MAX ? lim.rlim_max : pages * 4096 + more;
	CHECK(!setrlimit(RLIMIT_AS, &lim), "setrlimit");
}

static void no_addresses(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 4096};
	struct bma_cache *c;
	struct bma_cache_stats st;
	void **chain = NULL, **obj;
	uint64_t n = 0;

	limit_addresses(4u << 20);
	errno = 0;
	c = bma_cache_create(&a);
	CHECK(!c && errno == ENOMEM, "create: %p, errno %d", (void *)c, errno);
	limit_addresses(SIZE_MAX);
	c = bma_cache_create(&a);
	CHECK(c, "create after all");
	limit_addresses(20u << 20);
	errno = 0;
	while ((obj = bma_cache_alloc_flags(c, BMA_SLEEP))) {
		*obj = chain;
		chain = obj;
		CHECK(++n < 100000, "no end of memory");
	}
	CHECK(errno == ENOMEM, "errno %d", errno);
	bma_cache_stats_get(c, &st, sizeof st);
	CHECK(st.live == n && st.fail_system == 1, "live %llu of %llu, fails %llu",
	      (unsigned long long)st.live, (unsigned long long)n,
	      (unsigned long long)st.fail_system);
	limit_addresses(SIZE_MAX);
	obj = bma_cache_alloc_flags(c, BMA_SLEEP);
	CHECK(obj, "service does not resume");
	bma_cache_free(c, obj);
	while ((obj = chain)) {
		chain = *obj;
		bma_cache_free(c, obj);
	}
	CHECK(!bma_cache_destroy(c), "destroy");
	CHECK(!bma_trim() && !stats().slab_bytes, "trim");
	play_unharmed();
}

static void no_addresses_no_worker(void)
{
	setenv("BMA_CONF", "worker:off", 1);
	no_addresses();
}

static void no_rseq(void)
{
	setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
	execl("/proc/self/exe", "refused", "no_rseq", (char *)NULL);
	CHECK(0, "exec");
}

static const struct {
	const char *name;
	void (*main)(void);
	int asan; /* runs under AddressSanitizer, which needs addresses without end */
} cases[] = {
	{"no_rseq", no_rseq, 1},
	{"no_membarrier", no_membarrier, 1},
	{"no_fence", no_fence, 1},
	{"no_placement", no_placement, 1},
	{"no_threads", no_threads, 1},
	{"no_addresses", no_addresses, 0},
	{"no_addresses_no_worker", no_addresses_no_worker, 0},
};

int main(int argc, char **argv)
{
	int bad = 0, status;

	if (argc == 2 && !strcmp(argv[1], "no_rseq")) {
		play_unharmed();
		CHECK(stats().mode == BMA_MODE_GUEST, "mode %u", stats().mode);
		return 0;
	}
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		pid_t pid;

		if (UNDER_ASAN && !cases[i].asan)
			continue;
		pid = fork();
		CHECK(pid >= 0, "fork");
		if (!pid) {
			alarm(20);
			cases[i].main();
			_exit(0);
		}
		waitpid(pid, &status, 0);
		printf("%s: %x\n", cases[i].name, (unsigned int)status);
		bad += status != 0;
	}
	CHECK(!bad, "%d cases failed", bad);
	return 0;
}
