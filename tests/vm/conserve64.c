/* SPDX-License-Identifier: MIT */
/*
 * 64 CPUs, a thread on each: more than a word of an engine's bitmap of planes has in its lower half.
 *
 * Property: objects that change hands between all of these CPUs, allocated and freed by signal handlers, too, are
 * neither lost nor given out twice; each stands in one line of the ledger; a trim brings them home from every slot.
 */
#include "guest.h"

#include <sys/syscall.h>

#define CPUS 64
#define HANDLER_OBJS 3

static _Atomic long signals;
static _Atomic pid_t tid[CPUS];

static void handler(int sig)
{
	void *objs[HANDLER_OBJS];

	(void)sig;
	for (int i = 0; i < HANDLER_OBJS; i++)
		objs[i] = crew_get(0);
	for (int i = 0; i < HANDLER_OBJS; i++)
		crew_put(objs[i], i & 1);
	atomic_fetch_add_explicit(&signals, 1, memory_order_relaxed);
}

/* To some thread, wherever it is. */
static void interrupt(uint64_t r)
{
	pid_t to = tid[r % CPUS];

	if (to)
		syscall(SYS_tgkill, getpid(), to, SIGUSR1);
}

static void *thread(void *arg)
{
	uint64_t rng = crew_seed((uintptr_t)arg);

	tid[(uintptr_t)arg] = (pid_t)syscall(SYS_gettid);
	MUST(guest_pin((int)(uintptr_t)arg), "CPU %d", (int)(uintptr_t)arg);
	for (long n = 1; !atomic_load_explicit(&crew.stop, memory_order_relaxed); n++) {
		crew_step(&rng, n & 3 ? 0 : BMA_SLEEP);
		if (!(n & 255))
			crew_burst(&rng, BMA_SLEEP);
		if (!(n & 127))
			interrupt(test_random(&rng) >> 8);
		if (!(n & 1023))
			MUST(guest_pin((int)(test_random(&rng) % CPUS)), "CPU");
	}
	return NULL;
}

static void run(const char *word)
{
	double end = (double)crew_number("ms", 1000) / 1e3;
	struct bma_cache_stats s;
	pthread_t t[CPUS];

	crew_create("conserve");
	if (!strcmp(word, "index:cpu"))
		guest_mode(BMA_MODE_RSEQ_CPU, "BMA_CONF=index:cpu");
	else
		guest_mode(BMA_MODE_RSEQ_CID, "the kernel keeps concurrency ids");
	crew_start(t, CPUS, thread);
	for (int i = 0; i < CPUS; i++) {
		while (!tid[i])
			usleep(1000);
	}
	for (end += test_seconds(); test_seconds() < end;)
		usleep(10000);
	crew_join(t, CPUS);
	MUST(guest_held() == crew.live, "held %ld, counted %ld", guest_held(), (long)crew.live);
	bma_cache_stats_get(crew.cache, &s, sizeof s);
	printf("slots used %llu signals %ld\n", (unsigned long long)s.slots_used, (long)signals);
	MUST(s.slots_used > CPUS / 2, "%llu slots used", (unsigned long long)s.slots_used);
	guest_ledger(crew.cache, (long)crew.live);
	for (int i = 0; i < CREW_BOXES; i++)
		crew_put(atomic_exchange(&crew.box[i], NULL), i & 1);
	guest_trimmed(crew.cache);
	crew_end();
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"index:cid", "index:cpu"};
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};

	crew_args(argc, argv, 0);
	guest_only();
	MUST(sysconf(_SC_NPROCESSORS_ONLN) == CPUS, "%ld CPUs", sysconf(_SC_NPROCESSORS_ONLN));
	sigaction(SIGUSR1, &sa, NULL);
	guest_each(modes, 2, run);
	return 0;
}
