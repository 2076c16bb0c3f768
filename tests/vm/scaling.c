/* SPDX-License-Identifier: MIT */
/*
 * What CPUs write to that other CPUs wrote to before, by counters and not by the clock: exchanges between slots and depots per thousand operations, with 2, 8
 * and 64 threads on as many CPUs. The figures of docs/scaling.md.
 *
 * Property: they do not grow with the number of CPUs. What goes over its bound is told with what slots did meanwhile.
 */
#include "guest.h"

enum { MOST = 64, BATCH = 1000, RING = 1024 };

/* Lines that the calls of an exchange write to and that other CPUs write to as well: the head of a stack, its counter, and the magazine's first. */
enum { LINES = 3 };

static struct bma_cache *cache;
static pthread_barrier_t barrier;
static int threads;
static long ops_each;
/* From each thread to the next one. */
static struct ring {
	_Atomic(void *) at[RING] __attribute__((aligned(64)));
} rings[MOST];

static void *taken(void)
{
	void *p = bma_cache_alloc_flags(cache, BMA_SLEEP);

	MUST(p, "memory");
	return p;
}

static long pairs(int me)
{
	long n = 0;

	(void)me;
	for (; n < ops_each; n += 2)
		bma_cache_free(cache, taken());
	return n;
}

static long batches(int me)
{
	void *held[BATCH];
	long n = 0;

	(void)me;
	for (; n < ops_each; n += 2 * BATCH) {
		for (int i = 0; i < BATCH; i++)
			held[i] = taken();
		for (int i = 0; i < BATCH; i++)
			bma_cache_free(cache, held[i]);
	}
	return n;
}

/* What it allocates the next one frees: the worst there is. Neither waits for the other while it can do something. */
static long handed_on(int me)
{
	struct ring *out = &rings[me], *in = &rings[(me + threads - 1) % threads];
	long made = 0, freed = 0, half = ops_each / 2;

	while (made < half || freed < half) {
		_Atomic(void *) *to = &out->at[made % RING], *from = &in->at[freed % RING];
		void *p;
		bool idle = true;

		if (made < half && !atomic_load_explicit(to, memory_order_acquire)) {
			atomic_store_explicit(to, taken(), memory_order_release);
			made++;
			idle = false;
		}
		p = freed < half ? atomic_exchange_explicit(from, NULL, memory_order_acquire)
				 : NULL;
		if (p) {
			bma_cache_free(cache, p);
			freed++;
			idle = false;
		}
		if (idle)
			usleep(1000); /* 64 CPUs are as many threads of two */
	}
	return made + freed;
}

static long (*work)(int me);
static _Atomic long done;

static void *thread(void *arg)
{
	int me = (int)(uintptr_t)arg;

	MUST(guest_pin(me), "no CPU %d", me);
	pthread_barrier_wait(&barrier);
	atomic_fetch_add(&done, work(me));
	return NULL;
}

static struct bma_cache_stats stats(void)
{
	struct bma_cache_stats s;

	MUST(!bma_cache_stats_get(cache, &s, sizeof s), "stats");
	return s;
}

static void tell_slots(void)
{
	const struct bma_cache_stats s = stats();

	printf("slots grew %llu times, shrank %llu times, %llu when idle, %llu refused; %llu "
	       "drains\n",
	       (unsigned long long)s.slot_grows, (unsigned long long)s.slot_shrinks,
	       (unsigned long long)s.idle_drains, (unsigned long long)s.budget_refused,
	       (unsigned long long)s.drains);
}

/* Returns exchanges per thousand operations once it has settled: the second of two runs. */
static double run(const char *name, int n, long (*what)(int me), long ops, double most)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = name, .size = 64};
	double per_1000 = 0;

	work = what;
	threads = n;
	ops_each = ops;
	cache = bma_cache_create(&a);
	MUST(cache, "cache");
	for (int round = 0; round < 2; round++) {
		pthread_t t[MOST];
		uint64_t before = stats().depot_exchanges;

		atomic_store(&done, 0);
		pthread_barrier_init(&barrier, NULL, (unsigned int)n);
		for (int i = 0; i < n; i++)
			MUST(!pthread_create(&t[i], NULL, thread, (void *)(uintptr_t)i), "thread");
		for (int i = 0; i < n; i++)
			pthread_join(t[i], NULL);
		pthread_barrier_destroy(&barrier);
		per_1000 = (double)(stats().depot_exchanges - before) * 1000 /
			   (double)atomic_load(&done);
	}
	printf("%-10s CPUs %2d: %6.2f exchanges, %6.2f lines per 1000 operations\n", name, n,
	       per_1000, per_1000 * LINES);
	if (per_1000 > most)
		tell_slots();
	guest_ledger(cache, 0);
	MUST(!bma_cache_destroy(cache), "destroy");
	return per_1000;
}

int main(void)
{
	static const int counts[] = {2, 8, MOST};
	static const struct {
		const char *name;
		long (*work)(int me);
		long ops;
		double most;
	} workloads[] = {
		{"pairs", pairs, 10000, 0.5},
		{"batches", batches, 20000, 2},
		{"handed-on", handed_on, 5080, 8},
	};

	guest_only();
	for (size_t w = 0; w < sizeof workloads / sizeof workloads[0]; w++) {
		for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
			double per_1000 = run(workloads[w].name, counts[i], workloads[w].work,
					      workloads[w].ops, workloads[w].most);

			MUST(per_1000 <= workloads[w].most, "%s on %d CPUs: %g, at most %g",
			     workloads[w].name, counts[i], per_1000, workloads[w].most);
		}
	}
	return 0;
}
