/* SPDX-License-Identifier: MIT */
/*
 * Kernel 6.1: restartable sequences, but no concurrency ids; the word where later kernels keep one reads 0 in
 * every thread.
 *
 * Property: slots go by CPU numbers, and the statistics say why; so they do if ids are asked for. All works.
 */
#include "guest.h"

#define THREADS 8

static void *thread(void *arg)
{
	uint64_t rng = crew_seed((uintptr_t)arg);

	for (long n = 1; !atomic_load_explicit(&crew.stop, memory_order_relaxed); n++) {
		crew_step(&rng, n & 3 ? 0 : BMA_SLEEP);
		if (!(n & 255))
			crew_burst(&rng, n & 256 ? BMA_SLEEP : 0);
		if (!(n & 63))
			test_pin((unsigned int)(test_random(&rng) >> 32));
	}
	return NULL;
}

static void run(const char *word)
{
	double end = (double)crew_number("ms", 1500) / 1e3;
	pthread_t t[THREADS];

	crew_create("kernel61");
	guest_mode(BMA_MODE_RSEQ_CPU, "the kernel keeps no concurrency ids");
	crew_start(t, THREADS, thread);
	for (end += test_seconds(); test_seconds() < end;)
		usleep(10000);
	crew_join(t, THREADS);
	MUST(guest_held() == crew.live, "held %ld, counted %ld", guest_held(), (long)crew.live);
	guest_ledger(crew.cache, (long)crew.live);
	crew_end();
	(void)word;
}

int main(int argc, char **argv)
{
	static const char *const asked[] = {"index:cid", "verbose"};

	crew_args(argc, argv, 0);
	guest_only();
	guest_each(asked, 2, run);
	return 0;
}
