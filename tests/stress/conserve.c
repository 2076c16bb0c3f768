/* SPDX-License-Identifier: MIT */
/*
 * Conservation: nothing is lost, nothing is given out twice.
 *
 * Threads allocate, free what others allocated, move between CPUs, and one of them drains and
 * trims; with the word "storm" each also gets signals from a timer of its own, whose handler
 * allocates and frees on the cache that it interrupted, at times more than a magazine. Some frees
 * are deferred, so objects also go through the slots' other word, its flush and a grace period; there
 * are no readers, torture.c has these. An object carries a mark that changes by one atomic exchange
 * at each hand-over: an object given out twice shows at once. At the end what is live must be what
 * the test holds, nothing may be in limbo, each object must stand in one line of the ledger, and the
 * cache must be destroyable.
 *
 * Words: storm, flush (the one that trims does nothing but wait for barriers, which flush limbo),
 * threads=N, batch=N, size=N.
 */
#include <bma/bma.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "storm.h"
#include "test.h"

#define BOXES 20000
#define HANDLER_OBJS 300
#define THREADS_MAX 64
#define ALIVE 0xa11ce
#define DEAD 0xdead

static struct bma_cache *cache;
static _Atomic(void *) box[BOXES];
static _Atomic long live, signals, nulls, deferred, barriers;
static _Atomic int stop;
static int storm, flush, nthreads = 8;

static void *mark(void *p)
{
	uint64_t old;

	if (!p) {
		atomic_fetch_add(&nulls, 1);
		return NULL;
	}
	old = atomic_exchange((_Atomic uint64_t *)p, ALIVE);
	CHECK(old != ALIVE, "object %p was given out twice", p);
	atomic_fetch_add(&live, 1);
	return p;
}

static void *get(unsigned int flags)
{
	return mark(flags ? bma_cache_alloc_flags(cache, flags) : bma_cache_alloc(cache));
}

static void unmark(void *p)
{
	uint64_t old = atomic_exchange((_Atomic uint64_t *)p, DEAD);

	CHECK(old == ALIVE, "object %p held %llx", p, (unsigned long long)old);
	atomic_fetch_sub(&live, 1);
}

static void put(void *p, bool rcu)
{
	unmark(p);
	if (!rcu) {
		bma_cache_free(cache, p);
		return;
	}
	atomic_fetch_add_explicit(&deferred, 1, memory_order_relaxed);
	bma_cache_free_rcu(cache, p);
}

static void handler(int sig)
{
	long n = atomic_fetch_add(&signals, 1);
	int most = n % 16 ? (int)(n % 5) + 1 : HANDLER_OBJS, have = 0;
	void *objs[HANDLER_OBJS];

	(void)sig;
	while (have < most && (objs[have] = get(0)))
		have++;
	while (have--)
		put(objs[have], (n + have) & 1);
}

static void barrier(void)
{
	CHECK(!bma_rcu_barrier(cache), "barrier");
	atomic_fetch_add(&barriers, 1);
}

static void bulk(uint64_t *rng)
{
	void *objs[200];
	size_t n = bma_cache_alloc_bulk(cache, objs, test_random(rng) % 200, BMA_SLEEP);

	for (size_t i = 0; i < n; i++)
		mark(objs[i]);
	for (size_t i = 0; i < n; i++)
		unmark(objs[i]);
	bma_cache_free_bulk(cache, objs, n);
}

static void step(uint64_t *rng, int first)
{
	uint64_t r = test_random(rng);
	struct bma_cache_stats s;
	void *p;

	if (first && flush) {
		barrier();
		return;
	}
	p = r >> 32 & 1 ? get(r >> 33 & 1 ? BMA_SLEEP : 0) : NULL;

	p = atomic_exchange(&box[r % BOXES], p);
	if (p)
		put(p, flush ? r >> 34 & 3 : !(r >> 34 & 3));
	if (r >> 40 & 1023)
		return;
	switch (r >> 51 & 7) {
	case 0:
		test_pin((unsigned int)(r >> 54 & 7));
		break;
	case 1:
		bulk(rng);
		break;
	case 2:
		if (first && !(r >> 54 & 7))
			bma_trim();
		break;
	case 3:
		if (first)
			bma_poll(0);
		break;
	case 5: /* what it reads others are moving */
		bma_cache_stats_get(cache, &s, sizeof s);
		break;
	case 4:
		if (first)
			barrier();
		break;
	default:
		break;
	}
}

static void *thread(void *arg)
{
	uint64_t rng = test_seed * (2 * (uintptr_t)arg + 3);
	timer_t timer = NULL;

	test_pin((unsigned int)(uintptr_t)arg);
	if (storm)
		timer = storm_start(&rng);
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		step(&rng, !arg);
	if (storm)
		timer_delete(timer);
	return NULL;
}

static void words(int argc, char **argv, struct bma_cache_attr *a)
{
	for (int i = 3; i < argc; i++) {
		if (!strcmp(argv[i], "storm"))
			storm = 1;
		else if (!strcmp(argv[i], "flush"))
			flush = 1;
		else if (!strncmp(argv[i], "threads=", 8))
			nthreads = atoi(argv[i] + 8);
		else if (!strncmp(argv[i], "batch=", 6))
			a->batch = (uint32_t)atoi(argv[i] + 6);
		else if (!strncmp(argv[i], "size=", 5))
			a->size = (size_t)atoi(argv[i] + 5);
	}
}

static void check_ledger(void)
{
	struct bma_cache_stats s;
	uint64_t away;
	long held = 0;

	for (int i = 0; i < BOXES; i++)
		held += box[i] != NULL;
	CHECK(held == live, "test holds %ld, counted %ld", held, (long)live);
	CHECK(!bma_rcu_barrier(cache), "barrier");
	bma_cache_stats_get(cache, &s, sizeof s);
	CHECK(!s.limbo && !s.parked, "%llu in limbo, %llu parked after a barrier",
	      (unsigned long long)s.limbo, (unsigned long long)s.parked);
	bma_shutdown();
	bma_cache_stats_get(cache, &s, sizeof s);
	away = s.cached + s.limbo + s.parked + s.reserved + s.slab_free;
	CHECK(s.live + away == s.carved, "live %llu, elsewhere %llu, carved %llu",
	      (unsigned long long)s.live, (unsigned long long)away, (unsigned long long)s.carved);
	CHECK(s.live == (uint64_t)live, "live %llu, test holds %ld", (unsigned long long)s.live,
	      (long)live);
	printf("live %ld carved %llu signals %ld nulls %ld aborts %llu parks %llu exchanges %llu\n",
	       (long)live, (unsigned long long)s.carved, (long)signals, (long)nulls,
	       (unsigned long long)s.aborts, (unsigned long long)s.parks,
	       (unsigned long long)s.depot_exchanges);
	printf("deferred %ld barriers %ld limbo peak %llu\n", (long)deferred, (long)barriers,
	       (unsigned long long)s.limbo_peak);
}

int main(int argc, char **argv)
{
	double end = test_args(argc, argv, 4);
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "conserve", .size = 64};
	pthread_t t[THREADS_MAX];

	words(argc, argv, &a);
	storm_handler(handler);
	cache = bma_cache_create(&a);
	CHECK(cache, "create");
	for (uintptr_t i = 0; i < (uintptr_t)nthreads; i++)
		CHECK(!pthread_create(&t[i], NULL, thread, (void *)i), "thread");
	for (end += test_seconds(); test_seconds() < end;)
		usleep(10000);
	stop = 1;
	for (int i = 0; i < nthreads; i++)
		pthread_join(t[i], NULL);
	check_ledger();
	CHECK(!live || bma_cache_destroy(cache) == -EBUSY, "objects are live");
	for (int i = 0; i < BOXES; i++) {
		if (box[i])
			put(box[i], i & 1);
	}
	CHECK(!bma_cache_destroy(cache), "objects are missing");
	return 0;
}
