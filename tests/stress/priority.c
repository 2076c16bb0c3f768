/* SPDX-License-Identifier: MIT */
/*
 * Priorities: a thread of ordinary priority is preempted at random places in its calls by a thread
 * of real-time priority (SCHED_FIFO) on the same CPU, which allocates and frees on the same cache.
 *
 * Property: the high one never waits for the low one, which cannot run meanwhile. It ends all of
 * its operations without giving up the CPU once, and what it takes from its reserve is there.
 * It breaks, by its time or by a context switch of its own will, if an any-context call spins or
 * sleeps until another thread goes on: a lock, a frozen slot, an owned guest, a ticket.
 *
 * The first touch of an object's page is a page fault, and in it the kernel may wait for its own lock
 * of the address space, which somebody holds who maps or unmaps memory: as many waits as a round had
 * faults are let pass. Rounds without any are counted.
 *
 * Exit status 77: real-time priority is refused here. Words: guest, batch=N.
 */
#include "crew.h"

#include <sys/resource.h>

#define LOWS 6
#define ROUND_NS 200000000 /* a thousand times what a round takes */
#define RESERVE 50
#define MOST 3000

static struct bma_reserve *reserve;
static _Atomic long low_ops, high_ops, rounds, without_fault, fault_waits, taken;
static _Atomic int refilled;
static int64_t longest;

static bool real_time(void)
{
	struct sched_param param = {.sched_priority = 10};

	return !sched_setscheduler(0, SCHED_FIFO, &param);
}

static void *low(void *arg)
{
	uint64_t rng = crew_seed((uintptr_t)arg);
	long n = 0;

	test_pin(0);
	for (; !atomic_load_explicit(&crew.stop, memory_order_relaxed); n++) {
		uint64_t r = test_random(&rng);

		crew_step(&rng, r & 3 ? 0 : BMA_SLEEP);
		if (!(r >> 8 & 63))
			crew_burst(&rng, r & 1 ? BMA_SLEEP : 0);
		if ((uintptr_t)arg == 1 && !(r >> 16 & 0x3ff))
			MUST(!bma_trim(), "trim");
		if (!arg && !refilled) {
			MUST(!bma_reserve_refill(reserve), "refill");
			refilled = 1;
		}
	}
	atomic_fetch_add(&low_ops, n);
	return NULL;
}

static struct rusage usage(void)
{
	struct rusage u;

	MUST(!getrusage(RUSAGE_THREAD, &u), "usage");
	return u;
}

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/*
 * How often this thread gave up the CPU since @before; only page faults may have made it. One that
 * spins goes on after about a second, when the kernel gives others a share: it shows by its time.
 */
static void check_waits(const struct rusage *before, int64_t began)
{
	int64_t ns = cpu_ns() - began;
	struct rusage now = usage();
	long waited = now.ru_nvcsw - before->ru_nvcsw;
	long faults = now.ru_minflt + now.ru_majflt - before->ru_minflt - before->ru_majflt;

	MUST(waited <= faults, "the high one waited %ld times, with %ld page faults", waited,
	     faults);
	MUST(ns < ROUND_NS, "a round took %lld us of the CPU", (long long)ns / 1000);
	without_fault += !faults;
	if (ns > longest)
		longest = ns;
	fault_waits += waited;
}

static void take_reserved(void)
{
	void *objs[RESERVE];

	for (int i = 0; i < RESERVE; i++) {
		objs[i] = crew_mark(bma_reserve_alloc(reserve));
		MUST(objs[i], "object %d of the reserve", i);
	}
	for (int i = 0; i < RESERVE; i++)
		crew_put(objs[i], i & 1);
	taken++;
}

static void *high(void *arg)
{
	uint64_t rng = crew_seed(CREW_MAX);

	(void)arg;
	test_pin(0);
	MUST(real_time(), "real time: %s", strerror(errno));
	while (!crew.stop) {
		uint64_t r = test_random(&rng);
		struct timespec nap = {0, 10000 + (long)(r >> 33) % 200000};
		int n = 100 + (int)(r % MOST);
		struct rusage before;
		int64_t began;

		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
		before = usage();
		began = cpu_ns();
		if (refilled) {
			take_reserved();
			refilled = 0;
		}
		for (int i = 0; i < n; i++) {
			crew_step(&rng, 0);
			if (!(i & 1023))
				crew_burst(&rng, 0);
		}
		check_waits(&before, began);
		high_ops += n;
		rounds++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	double end = crew_args(argc, argv, 2) + test_seconds();
	pthread_t t[LOWS], h;

	if (!real_time()) {
		printf("skipped: no real-time priority: %s\n", strerror(errno));
		return CREW_SKIP;
	}
	MUST(!sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}), "%s", strerror(errno));
	crew_create("priority");
	reserve = bma_reserve_create(crew.cache, RESERVE);
	MUST(reserve, "reserve: %s", strerror(errno));
	refilled = 1;
	crew_start(t, LOWS, low);
	MUST(!pthread_create(&h, NULL, high, NULL), "thread");
	while (test_seconds() < end)
		usleep(10000);
	crew_join(t, LOWS);
	MUST(!pthread_join(h, NULL), "join");
	printf("rounds %ld operations: high %ld, low %ld; reserves taken %ld\n", (long)rounds,
	       (long)high_ops, (long)low_ops, (long)taken);
	printf("rounds without a page fault %ld, waits in page faults %ld, longest round %lld us\n",
	       (long)without_fault, (long)fault_waits, (long long)longest / 1000);
	MUST(without_fault > 10 && low_ops, "nobody was preempted");
	bma_reserve_destroy(reserve);
	crew_end();
	return 0;
}
