/* SPDX-License-Identifier: MIT */
/*
 * aarch64: its restartable sequences, inlined and the library's own, in threads that are moved from CPU to CPU and
 * interrupted by handlers which allocate and free on the cache that they interrupted.
 *
 * Property: sequences are used, not guest slots; an interrupted one starts again, so nothing is lost and nothing is
 * given out twice. It breaks if a sequence has no abort handler, or a second committing store.
 * Emulated on x86-64 the machine orders its memory as strictly as that does: fences are not tested.
 */
#include "guest.h"

#include <sys/syscall.h>

#define THREADS 8
#define SIGNALS 700 /* at least, however slow the machine is */
#define CPUS 4
#define HANDLER_OBJS 80 /* now and then: more than a magazine of the cache holds */

static _Atomic long signals, steps;
static _Atomic pid_t tid[THREADS];
static uint64_t *counter;

static void handler(int sig)
{
	long n = atomic_fetch_add(&signals, 1);
	int most = n % 16 ? (int)(n % 4) + 1 : HANDLER_OBJS, have = 0, saved = errno;
	void *objs[HANDLER_OBJS];

	(void)sig;
	bma_this_cpu_add(counter, 1);
	while (have < most && (objs[have] = crew_get(0)))
		have++;
	while (have--)
		crew_put(objs[have], (n + have) & 1);
	if (!(n & 15))
		guest_pin((int)(n >> 4) % CPUS);
	errno = saved;
}

static void *thread(void *arg)
{
	uint64_t rng = crew_seed((uintptr_t)arg);
	long n = 0;

	tid[(uintptr_t)arg] = (pid_t)syscall(SYS_gettid);
	for (; !atomic_load_explicit(&crew.stop, memory_order_relaxed); n++) {
		crew_step(&rng, n & 3 ? 0 : BMA_SLEEP);
		bma_this_cpu_add(counter, 1);
		if (!(n & 255))
			crew_burst(&rng, n & 256 ? BMA_SLEEP : 0);
		if (!(n & 1023))
			guest_pin((int)(test_random(&rng) % CPUS));
	}
	atomic_fetch_add(&steps, n);
	return NULL;
}

static void run(const char *word)
{
	double end = (double)crew_number("ms", 2000) / 1e3;
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "counter", .size = 8};
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	uint64_t rng = crew_seed(THREADS);
	struct bma_cache *counters;
	pthread_t t[THREADS];

	crew_create("aarch64");
	if (!strcmp(word, "index:cpu"))
		guest_mode(BMA_MODE_RSEQ_CPU, "BMA_CONF=index:cpu");
	else
		guest_mode(BMA_MODE_RSEQ_CID, "the kernel keeps concurrency ids");
	a.flags = BMA_CACHE_PERCPU;
	counters = bma_cache_create(&a);
	counter = counters ? bma_cache_alloc_flags(counters, BMA_SLEEP) : NULL;
	MUST(counter, "a counter");
	sigaction(SIGUSR1, &sa, NULL);
	crew_start(t, THREADS, thread);
	/* Timers of an emulated machine go by ticks of 4 ms; this one is as quick as it gets. */
	for (end += test_seconds(); test_seconds() < end || signals < SIGNALS;) {
		pid_t to = tid[test_random(&rng) % THREADS];

		if (to)
			syscall(SYS_tgkill, getpid(), to, SIGUSR1);
	}
	crew_join(t, THREADS);
	printf("steps %ld signals %ld\n", (long)steps, (long)signals);
	MUST(guest_held() == crew.live, "held %ld, counted %ld", guest_held(), (long)crew.live);
	MUST(bma_percpu_sum_u64(counter) == (uint64_t)(steps + signals), "%llu counted",
	     (unsigned long long)bma_percpu_sum_u64(counter));
	guest_ledger(crew.cache, (long)crew.live);
	bma_cache_free(counters, counter);
	MUST(!bma_cache_destroy(counters), "the counter is missing");
	crew_end();
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"index:cid", "index:cpu"};

	crew_args(argc, argv, 0);
	guest_only();
	guest_each(modes, 2, run);
	return 0;
}
