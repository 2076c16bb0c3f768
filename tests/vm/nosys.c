/* SPDX-License-Identifier: MIT */
/*
 * No /sys, on a machine that has two nodes: as in a container that mounts none.
 *
 * Property: what cannot be read is taken for one node and for as many CPUs as the kernel's mask has bits; all
 * works, per-CPU objects too.
 */
#include "guest.h"

#define THREADS 4
#define COUNTS 1000

static uint64_t *counter;

static void *thread(void *arg)
{
	uint64_t rng = crew_seed((uintptr_t)arg);

	MUST(guest_pin((int)(uintptr_t)arg), "CPU");
	for (int i = 0; i < COUNTS; i++)
		bma_this_cpu_add(counter, 1);
	for (long n = 0; !atomic_load_explicit(&crew.stop, memory_order_relaxed); n++) {
		crew_step(&rng, n & 3 ? 0 : BMA_SLEEP);
		if (!(n & 255))
			crew_burst(&rng, BMA_SLEEP);
	}
	return NULL;
}

static struct bma_cache *create_percpu(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "percpu", .size = 8};

	a.flags = BMA_CACHE_PERCPU;
	return bma_cache_create(&a);
}

int main(int argc, char **argv)
{
	double end = crew_args(argc, argv, 2) + test_seconds();
	struct bma_cache *percpu;
	struct bma_stats s;
	pthread_t t[THREADS];

	guest_only();
	MUST(access("/sys/devices", F_OK), "/sys is there");
	crew_create("nosys");
	guest_mode(BMA_MODE_RSEQ_CID, "the kernel keeps concurrency ids");
	bma_stats_get(&s, sizeof s);
	MUST(s.nodes == 1, "%llu nodes", (unsigned long long)s.nodes);
	percpu = create_percpu();
	counter = percpu ? bma_cache_alloc_flags(percpu, BMA_SLEEP) : NULL;
	MUST(counter, "a counter: %s", strerror(errno));
	MUST(bma_percpu_copies() == s.slots + 1, "%llu copies for %llu slots",
	     (unsigned long long)bma_percpu_copies(), (unsigned long long)s.slots);
	crew_start(t, THREADS, thread);
	while (test_seconds() < end)
		usleep(10000);
	crew_join(t, THREADS);
	MUST(bma_percpu_sum_u64(counter) == THREADS * COUNTS, "%llu counted",
	     (unsigned long long)bma_percpu_sum_u64(counter));
	bma_cache_free(percpu, counter);
	MUST(!bma_cache_destroy(percpu), "the counter is missing");
	crew_end();
	return 0;
}
