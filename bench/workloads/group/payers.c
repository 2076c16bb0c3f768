/* SPDX-License-Identifier: MIT */
/*
 * What does a payer take in memory? Ten thousand merged caches of one size, each paid for by the same group; then two threads on two CPUs use all of them, so that each has a
 * stock in two slots. Resident bytes; the memory of the objects is there before. `slot_bytes` is what a payer takes more for each slot it is used in, `whole_bytes`
 * all that it takes, handle included, divided by these slots.
 *
 * Where the kernel counts concurrent threads and not CPUs, two that other work keeps from running at once have one slot. So the slots are counted: what all
 * payers have charged ahead, in units of what one cache that was used in one slot has.
 */
#include "group.h"

#define PAYERS 10000
#define THREADS 2
#define SIZE 64

static struct bma_cache *caches[PAYERS];
static struct bma_cache *warm;
static pthread_barrier_t barrier;

static void use(struct bma_cache *cache)
{
	void *p = bma_cache_alloc(cache);

	if (!p)
		p = bma_cache_alloc_flags(cache, BMA_SLEEP);
	if (!p)
		group_no_memory();
	bma_cache_free(cache, p);
}

static void *use_all(void *arg)
{
	host_pin(*(int *)arg);
	use(warm);
	pthread_barrier_wait(&barrier); /* both slots have objects */
	pthread_barrier_wait(&barrier); /* the caches are made */
	for (size_t i = 0; i < PAYERS; i++)
		use(caches[i]);
	pthread_barrier_wait(&barrier); /* all are used */
	pthread_barrier_wait(&barrier); /* all is measured */
	return NULL;
}

static struct bma_cache *made(struct bma_group *group)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof(attr), .size = SIZE, .flags = BMA_CACHE_MERGE, .group = group};
	struct bma_cache *cache = bma_cache_create(&attr);

	if (!cache)
		bench_die("bma_cache_create failed");
	return cache;
}

/* What a payer is charged for that was used in one slot. */
static double used_once(void)
{
	struct bma_group *group = group_made(NULL, 1);

	use(made(group));
	return (double)group_current(group);
}

static void measure(struct bench_state *st, struct bma_group *group, double once)
{
	size_t before, idle, used;
	double slots;
	double start, make_ns;

	pthread_barrier_wait(&barrier);
	before = host_resident();
	start = host_seconds();
	for (size_t i = 0; i < PAYERS; i++)
		caches[i] = made(group);
	make_ns = (host_seconds() - start) * 1e9 / PAYERS;
	idle = host_resident();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	used = host_resident();
	slots = (double)group_current(group) / once;
	if (slots < PAYERS)
		bench_die("a payer has paid for nothing");
	pthread_barrier_wait(&barrier);
	bench_set_iteration_time(st, make_ns * 1e-9);
	bench_set_counter(st, "make_ns", make_ns, 0);
	bench_set_counter(st, "idle_bytes", ((double)idle - (double)before) / PAYERS, 0);
	bench_set_counter(st, "slots", slots / PAYERS, 0);
	bench_set_counter(st, "slot_bytes", ((double)used - (double)idle) / slots, 0);
	bench_set_counter(st, "whole_bytes", ((double)used - (double)before) / slots, 0);
}

static void payers(struct bench_state *st, void *arg)
{
	struct bma_group *group, *others;
	pthread_t thread[THREADS];
	int number[THREADS];
	double once;

	(void)arg;
	host_unpin();
	for (size_t i = 0; i < sizeof(caches); i += 4096)
		((volatile char *)caches)[i] = 0; /* these pages are not the library's */
	group = group_made(NULL, 1);
	others = group_made(NULL, 1);
	warm = made(others);
	once = used_once();
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++) {
		number[i] = i;
		if (pthread_create(&thread[i], NULL, use_all, &number[i]))
			bench_die("cannot start a thread");
	}
	while (bench_keep_running(st))
		measure(st, group, once);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

void group_payers_register(void)
{
	static const char *const names[] = {"n"};
	struct bench *b;

	if (host_cpus() < THREADS)
		return;
	b = group_row("group/memory/payers", payers, NULL);
	bench_arg_names(b, names, 1);
	bench_arg(b, PAYERS);
}
