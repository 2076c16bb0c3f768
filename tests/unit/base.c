/* SPDX-License-Identifier: MIT */
/* Layer 0: settings, locks, the waker, the one sequence of the slow half. */
#include "base/base.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(env, words_are_applied)
{
	bma__env_parse("verbose,worker:off,index:cpu,rseq:off,thp:on");
	cr_assert(bma__env.verbose);
	cr_assert(!bma__env.worker);
	cr_assert(!bma__env.rseq);
	cr_assert(bma__env.thp);
	cr_assert_eq(bma__env.index, BMA__ENV_INDEX_CPU);
	cr_assert(!bma__env.share && !bma__env.stats_exit);
	bma__env_parse("export,stats:exit");
	cr_assert(bma__env.share && bma__env.stats_exit);
}

Test(env, an_unknown_word_leaves_the_rest)
{
	bma__env_parse("exports,stats");
	cr_assert(!bma__env.share && !bma__env.stats_exit);
	bma__env_parse("verbos,worker:off,,thp");
	cr_assert(!bma__env.verbose);
	cr_assert(!bma__env.worker);
	cr_assert(!bma__env.thp);
}

Test(env, the_flush_time_has_limits)
{
	static const char *const bad[] = {
		"gp_flush_ms",	    "gp_flush_ms:",   "gp_flush_ms:0",
		"gp_flush_ms:1001", "gp_flush_ms:-1", "gp_flush_ms:+1",
		"gp_flush_ms:5ms",  "gp_flush_ms: 5", "gp_flush_ms:1.5",
		"gp_flush_ms:0x5",  "gp_flush_ms:on", "gp_flush_ms:18446744073709551621",
		"gp_flush_m:5",	    "xgp_flush_ms:5"};

	bma__env_parse(NULL);
	cr_assert_eq(bma__env.flush_ns, 10000000);
	bma__env_parse("gp_flush_ms:1");
	cr_assert_eq(bma__env.flush_ns, 1000000);
	bma__env_parse("verbose,gp_flush_ms:1000,worker:off");
	cr_assert_eq(bma__env.flush_ns, 1000000000);
	cr_assert(bma__env.verbose);
	cr_assert(!bma__env.worker);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		bma__env_parse(bad[i]);
		cr_assert_eq(bma__env.flush_ns, 10000000, "%s", bad[i]);
	}
}

Test(env, the_time_until_pages_go_back_has_limits)
{
	static const char *const bad[] = {"purge_ms",	 "purge_ms:",	"purge_ms:600001",
					  "purge_ms:-1", "purge_ms:00", "purge_ms:0 "};

	bma__env_parse(NULL);
	cr_assert_eq(bma__env.purge_ns, 1000000000);
	cr_assert(!bma__env.pressure);
	bma__env_parse("purge_ms:0,pressure:on");
	cr_assert(bma__env.pressure);
	cr_assert_eq(bma__env.purge_ns, 0);
	bma__env_parse("purge_ms:1");
	cr_assert_eq(bma__env.purge_ns, 1000000);
	bma__env_parse("purge_ms:600000");
	cr_assert_eq(bma__env.purge_ns, 600000000000);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		bma__env_parse(bad[i]);
		cr_assert_eq(bma__env.purge_ns, 1000000000, "%s", bad[i]);
	}
}

Test(env, the_interval_of_samples_has_limits)
{
	bma__env_parse(NULL);
	cr_assert_eq(bma__env.sample_ns, 100000000);
	bma__env_parse("sample_ms:1,debug:sample");
	cr_assert_eq(bma__env.sample_ns, 1000000);
	cr_assert_eq(bma__env.debug, BMA_CACHE_SAMPLE);
	bma__env_parse("sample_ms:10000,debug:all");
	cr_assert_eq(bma__env.sample_ns, 10000000000);
	cr_assert(!(bma__env.debug & BMA_CACHE_SAMPLE));
	bma__env_parse("sample_ms:10001,sample_ms:0,sample_ms:");
	cr_assert_eq(bma__env.sample_ns, 100000000);
}

Test(env, the_idle_time_may_be_never)
{
	static const char *const bad[] = {"idle_ms:", "idle_ms:00", "idle_ms:3600001",
					  "idle_ms:-1"};

	bma__env_parse(NULL);
	cr_assert_eq(bma__env.idle_ns, 1000000000);
	bma__env_parse("idle_ms:0");
	cr_assert_eq(bma__env.idle_ns, 0);
	bma__env_parse("idle_ms:0,idle_ms:3600000");
	cr_assert_eq(bma__env.idle_ns, 3600000000000);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		bma__env_parse(bad[i]);
		cr_assert_eq(bma__env.idle_ns, 1000000000, "%s", bad[i]);
	}
}

Test(env, the_budget_is_in_mebibytes)
{
	static const char *const bad[] = {"cache_budget:", "cache_budget:0", "cache_budget:1048577",
					  "cache_budget:1M"};

	bma__env_parse("cache_budget:1");
	cr_assert_eq(bma__env.cache_budget, 1 << 20);
	bma__env_parse("cache_budget:1048576");
	cr_assert_eq(bma__env.cache_budget, (uint64_t)1 << 40);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		bma__env_parse(bad[i]);
		cr_assert_eq(bma__env.cache_budget, 0, "%s", bad[i]);
	}
}

static const char *fake_cgroup, *fake_max; /* what the files say; NULL: they are not there */
static const char *asked[8];
static int nasked;
static long fake_pages;

/* In the place of the C library's, for the names that ram.c asks for. */
FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*real)(const char *path, const char *mode);
	bool is_max = strstr(path, "memory.max") || strstr(path, "memory.limit_in_bytes");
	const char *text = is_max ? fake_max : fake_cgroup;

	if (!real)
		real = (FILE * (*)(const char *, const char *))(uintptr_t)dlsym(RTLD_NEXT, "fopen");
	if (!fake_pages || (!is_max && strcmp(path, "/proc/self/cgroup")))
		return real(path, mode);
	if (is_max && nasked < 8)
		asked[nasked++] = strdup(path);
	return text ? fmemopen((void *)(uintptr_t)text, strlen(text), "r") : NULL;
}

long sysconf(int name)
{
	static long (*real)(int name);

	if (!real)
		real = (long (*)(int))(uintptr_t)dlsym(RTLD_NEXT, "sysconf");
	return fake_pages && name == _SC_PHYS_PAGES ? fake_pages : real(name);
}

Test(ram, the_least_of_machine_and_cgroup)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	fake_pages = 1000;
	cr_assert_eq(bma__ram_bytes(), 1000 * page, "no cgroup");
	fake_cgroup = "1:name=systemd:/x\n0::/a/b\n";
	cr_assert_eq(bma__ram_bytes(), 1000 * page, "no limit to read");
	cr_assert_eq(nasked, 3);
	cr_assert_str_eq(asked[0], "/sys/fs/cgroup/a/b/memory.max");
	cr_assert_str_eq(asked[1], "/sys/fs/cgroup/a/memory.max");
	cr_assert_str_eq(asked[2], "/sys/fs/cgroup/memory.max");
	fake_max = "max\n";
	cr_assert_eq(bma__ram_bytes(), 1000 * page, "no limit");
	fake_max = "4096\n";
	cr_assert_eq(bma__ram_bytes(), 4096);
	fake_max = "40960000000000\n";
	cr_assert_eq(bma__ram_bytes(), 1000 * page);
	nasked = 0;
	fake_cgroup = "0::/\n";
	fake_max = "8192\n";
	cr_assert_eq(bma__ram_bytes(), 8192);
	cr_assert_eq(nasked, 1);
	cr_assert_str_eq(asked[0], "/sys/fs/cgroup/memory.max");
	nasked = 0;
	fake_cgroup = "4:memory:/c/d\n0::/\n";
	cr_assert_eq(bma__ram_bytes(), 8192);
	cr_assert_eq(nasked, 4);
	cr_assert_str_eq(asked[1], "/sys/fs/cgroup/memory/c/d/memory.limit_in_bytes");
	cr_assert_str_eq(asked[3], "/sys/fs/cgroup/memory/memory.limit_in_bytes");
	nasked = 0;
	fake_cgroup = "4:memory:/\n";
	cr_assert_eq(bma__ram_bytes(), 8192);
	cr_assert_eq(nasked, 1, "version 1 alone");
	fake_pages = 0;
}

/* What @conf makes it print. */
static void complaint(const char *conf, char *text, size_t size)
{
	int fd[2], saved = dup(STDERR_FILENO);
	ssize_t got;

	cr_assert_eq(pipe(fd), 0);
	dup2(fd[1], STDERR_FILENO);
	bma__env_parse(conf);
	dup2(saved, STDERR_FILENO);
	close(fd[1]);
	close(saved);
	got = read(fd[0], text, size - 1);
	close(fd[0]);
	text[got > 0 ? got : 0] = 0;
}

Test(env, a_bad_flush_time_is_named_and_ignored)
{
	char text[256];

	complaint("gp_flush_ms:5", text, sizeof text);
	cr_assert_str_eq(text, "");
	cr_assert_eq(bma__env.flush_ns, 5000000);
	complaint("gp_flush_ms:1001,worker:off", text, sizeof text);
	cr_assert_str_eq(
		text, "bma: BMA_CONF: \"gp_flush_ms:1001\" is not known, ignored; the nearest is "
		      "\"gp_flush_ms:N\"\n");
	cr_assert_eq(bma__env.flush_ns, 10000000);
	cr_assert(!bma__env.worker);
}

Test(env, nothing_means_defaults)
{
	bma__env_parse("verbose");
	bma__env_parse(NULL);
	cr_assert(!bma__env.verbose);
	cr_assert(bma__env.worker);
	cr_assert(bma__env.rseq);
}

Test(lock, the_owner_is_known)
{
	struct bma__lock lock = BMA__LOCK_INIT(BMA__RANK_META);

	cr_assert(!bma__lock_mine(&lock));
	bma__lock_take(&lock);
	cr_assert(bma__lock_mine(&lock));
	cr_assert(!bma__lock_fork_take(&lock), "the holder must not wait for itself");
	bma__lock_drop(&lock);
	cr_assert(!bma__lock_mine(&lock));
	cr_assert(bma__lock_fork_take(&lock));
	bma__lock_fork_drop(&lock);
}

Test(lock, a_falling_rank_aborts, .signal = SIGABRT)
{
	struct bma__lock low = BMA__LOCK_INIT(BMA__RANK_DRAIN);
	struct bma__lock high = BMA__LOCK_INIT(BMA__RANK_META);

	bma__lock_take(&high);
	bma__lock_take(&low);
}

static struct bma__waker waker;
static _Atomic int looked;

static void *sleeper(void *unused)
{
	(void)unused;
	while (atomic_load(&looked) < 3) {
		bma__waker_look(&waker);
		atomic_fetch_add(&looked, 1);
		bma__waker_sleep(&waker, 60000000000u);
	}
	return NULL;
}

Test(waker, each_ask_is_seen, .timeout = 20)
{
	pthread_t t;

	pthread_create(&t, NULL, sleeper, NULL);
	for (int i = 1; i <= 3; i++) {
		while (atomic_load(&looked) < i)
			bma__os_sleep(1000);
		bma__waker_ask(&waker);
	}
	pthread_join(t, NULL);
}

Test(waker, asked_twice_wakes_once)
{
	bma__waker_ask(&waker);
	bma__waker_ask(&waker);
	cr_assert_eq(atomic_load(&waker.wakes), 0, "nobody slept");
	bma__waker_sleep(&waker, 60000000000u);
	cr_assert_eq(atomic_load(&waker.word), BMA__WAKER_ASKED, "an ask keeps it awake");
}

Test(cpu, a_mode_is_chosen_with_a_reason)
{
	bma__env_parse(NULL);
	bma__cpu_init();
	cr_assert_neq(bma__cpu.mode, BMA_MODE_NONE);
	cr_assert_not_null(bma__cpu.reason);
	cr_assert_gt(bma__cpu.slots, 0);
	cr_assert(bma__is_pow2(bma__cpu.guests));
}

Test(cpu, rseq_off_means_guests)
{
	bma__env_parse("rseq:off");
	bma__cpu_init();
	cr_assert_eq(bma__cpu.mode, BMA_MODE_GUEST);
}

static int no_membarrier(int cmd)
{
	(void)cmd;
	return -38;
}

Test(cpu, no_fence_means_guests)
{
	bma__os.membarrier = no_membarrier;
	bma__env_parse(NULL);
	bma__cpu_init();
	cr_assert_eq(bma__cpu.mode, BMA_MODE_GUEST);
}

/* A slot as the sequence knows it. */
struct slot {
	uint64_t loaded, unused;
	uint32_t freeze, gen;
};

static bool change(struct slot *s, uint32_t index, uint32_t gen, uint64_t old, uint64_t new)
{
	return bma__rseq_change(bma__cpu.index, index, s, &s->loaded, &s->freeze, gen, old, new);
}

/* The sequence changes the slot if and only if index, freeze, generation and old value are as said. */
Test(rseq, change_only_if_all_holds)
{
	struct slot s = {.loaded = 5, .gen = 7};

	bma__env_parse(NULL);
	bma__cpu_init();
	if (bma__cpu.mode == BMA_MODE_GUEST)
		return;
	for (int done = 0, tries = 0; !done; tries++) {
		cr_assert_lt(tries, 1000);
		done = change(&s, bma__rseq_read(bma__cpu.index), 7, 5, 6);
	}
	cr_assert_eq(s.loaded, 6);
	cr_assert_eq(s.gen, 8);
	for (int i = 0; i < 1000; i++) {
		uint32_t index = bma__rseq_read(bma__cpu.index);

		cr_assert(!change(&s, index, 8, 5, 7), "another value");
		cr_assert(!change(&s, index, 7, 6, 7), "another generation");
		cr_assert(!change(&s, index + 1000, 8, 6, 7), "another index");
	}
	s.freeze = 1;
	for (int i = 0; i < 1000; i++)
		cr_assert(!change(&s, bma__rseq_read(bma__cpu.index), 8, 6, 7), "frozen");
	cr_assert_eq(s.loaded, 6);
#if BMA__RSEQ_BUILT
	cr_assert_eq(*(uint64_t *)(bma__rseq_area() + BMA__RSEQ_CS), 0,
		     "no descriptor stays behind");
#endif
}

Test(env, the_nearest_word_is_named)
{
	static const struct {
		const char *word, *nearest;
	} slips[] = {
		{"worker:of", "worker:off"},  {"purgems:5", "purge_ms:"},
		{"stats:exti", "stats:exit"}, {"idx:cpu", "index:cpu"},
		{"verbos", "verbose"},	      {"debug:chek", "debug:check"},
		{"exports", "export"},
	};

	cr_assert_eq(bma__nearest_distance("kitten", 6, "sitting", 7), 3);
	cr_assert_eq(bma__nearest_distance("", 0, "abc", 3), 3);
	cr_assert_eq(bma__nearest_distance("abc", 3, "", 0), 3);
	cr_assert_eq(bma__nearest_distance("same", 4, "same", 4), 0);
	for (size_t i = 0; i < sizeof slips / sizeof slips[0]; i++) {
		char line[256];

		complaint(slips[i].word, line, sizeof line);
		cr_assert_not_null(strstr(line, "the nearest is \""));
		cr_assert_not_null(strstr(strstr(line, "the nearest"), slips[i].nearest), "%s",
				   line);
	}
}

/* A program may wait for the signal of a fault in its own way. */
Test(signals, what_the_caller_has_blocked_stays_blocked)
{
	sigset_t mine, was, pending;

	sigemptyset(&mine);
	sigaddset(&mine, SIGTRAP);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, &mine, NULL), 0);
	raise(SIGTRAP);
	bma__signals_block(&was);
	raise(SIGUSR1);
	sigpending(&pending);
	cr_assert(sigismember(&pending, SIGTRAP));
	cr_assert(sigismember(&pending, SIGUSR1));
	signal(SIGUSR1, SIG_IGN);
	bma__signals_restore(&was);
	cr_assert(sigismember(&was, SIGTRAP) && !sigismember(&was, SIGUSR1));
}
