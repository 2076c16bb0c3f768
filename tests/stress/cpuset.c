/* SPDX-License-Identifier: MIT */
/*
 * CPU sets change: while threads allocate and free, another thread changes the affinity mask of
 * each at random, to every set of the CPUs that there are (of the first eight).
 *
 * Property: a thread that is moved in the middle of a call loses nothing and hands out nothing
 * twice, whether slots are found by concurrency id or by CPU number.
 * It breaks if a sequence goes on with the slot of a CPU it has left: an end before the commit, an
 * index read outside of the sequence, a slow half that trusts the index it read first.
 *
 * Words: cid, cpu, guest, storm (signals move threads, too, wherever they are), threads=N, batch=N.
 */
#include "crew.h"
#include "storm.h"

#include <sys/syscall.h>

#define THREADS 6
#define CPUS_MAX 8

static _Atomic pid_t tid[CREW_MAX];
static _Atomic long moved, ops, signals;
static int cpu_list[CPUS_MAX], ncpus;
static _Thread_local uint64_t handler_rng;

/* A set that is not empty. */
static cpu_set_t random_set(uint64_t r)
{
	uint64_t want = 1 + r % ((1u << ncpus) - 1);
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < ncpus; i++) {
		if (want >> i & 1)
			CPU_SET((size_t)cpu_list[i], &set);
	}
	return set;
}

/* Off this CPU, now, from wherever the thread is. */
static void handler(int sig)
{
	int saved = errno;
	cpu_set_t set;

	(void)sig;
	set = random_set(test_random(&handler_rng) >> 33);
	sched_setaffinity(0, sizeof set, &set);
	atomic_fetch_add_explicit(&signals, 1, memory_order_relaxed);
	errno = saved;
}

static void *thread(void *arg)
{
	uintptr_t me = (uintptr_t)arg;
	uint64_t rng = crew_seed(me);
	unsigned int cpu = 0, last = 0;
	long n = 0, away = 0;
	timer_t timer = NULL;

	handler_rng = crew_seed(me + CREW_MAX);
	if (crew_word("storm"))
		timer = storm_start(&rng);
	tid[me] = (pid_t)syscall(SYS_gettid);
	for (; !atomic_load_explicit(&crew.stop, memory_order_relaxed); n++) {
		crew_step(&rng, n & 3 ? 0 : BMA_SLEEP);
		if (!(n & 255))
			crew_burst(&rng, n & 256 ? BMA_SLEEP : 0);
		if (!me && !(n & 0xffff))
			MUST(!bma_trim(), "trim");
		syscall(SYS_getcpu, &cpu, NULL, NULL);
		away += cpu != last;
		last = cpu;
	}
	if (timer)
		timer_delete(timer);
	atomic_fetch_add(&moved, away);
	atomic_fetch_add(&ops, n);
	return NULL;
}

/* The CPUs that this process may use. */
static void list_cpus(void)
{
	cpu_set_t allowed;

	MUST(!sched_getaffinity(0, sizeof allowed, &allowed), "affinity");
	for (int i = 0; i < CPU_SETSIZE && ncpus < CPUS_MAX; i++) {
		if (CPU_ISSET((size_t)i, &allowed))
			cpu_list[ncpus++] = i;
	}
}

int main(int argc, char **argv)
{
	double end = crew_args(argc, argv, 2) + test_seconds();
	int threads = (int)crew_number("threads", THREADS);
	uint64_t rng = crew_seed(CREW_MAX);
	pthread_t t[CREW_MAX];
	long masks = 0;

	MUST(threads > 0 && threads <= CREW_MAX, "threads=%d", threads);
	list_cpus();
	storm_handler(handler);
	crew_create("cpuset");
	crew_start(t, threads, thread);
	for (int i = 0; i < threads; i++) {
		while (!tid[i])
			usleep(100);
	}
	for (; test_seconds() < end; masks++) {
		uint64_t r = test_random(&rng);
		cpu_set_t set = random_set(r >> 8);

		MUST(!sched_setaffinity(tid[(r >> 32) % (uint64_t)threads], sizeof set, &set),
		     "affinity: %s", strerror(errno));
		if (!(r >> 56 & 7))
			usleep((unsigned int)(r >> 48 & 127));
	}
	crew_join(t, threads);
	printf("masks %ld, by signals %ld; seen on another CPU %ld operations %ld\n", masks,
	       (long)signals, (long)moved, (long)ops);
	MUST(ncpus < 2 || moved > 100, "threads were moved %ld times", (long)moved);
	crew_end();
	return 0;
}
