/* SPDX-License-Identifier: MIT */
/*
 * The worker is late: there is none, and bma_poll() comes only every 50 ms. Bursts take more than
 * the stock and its watermarks hold.
 *
 * Property: no NULL while memory is free, for those who may sleep, and for those who take from a
 * reserve no more than is in it. Others may get NULL; each is counted as "depot empty", and nothing
 * is counted that was none.
 * It breaks if an allocation that may sleep relies on the worker, if a refill that another context
 * empties at once is taken for a lack of memory, or if a failure is counted twice, or not.
 *
 * Words: guest, bursts=N (runs on until so many were done), storm, batch=N.
 */
#include "crew.h"
#include "storm.h"

#define BURST 600
#define RESERVE 300
#define STOCK 256
#define LOW 64
#define PERIOD_US 50000
#define THREADS 4

static _Atomic uint64_t bursts[3], empty, signals, polls;
enum kind { ANY, SLEEP, RESERVED };

/* Returns how many there are in @objs. */
static size_t any_context(void **objs, size_t want)
{
	size_t n = 0;

	for (size_t i = 0; i < want; i++) {
		objs[n] = bma_cache_alloc(crew.cache);
		if (!objs[n])
			atomic_fetch_add_explicit(&empty, 1, memory_order_relaxed);
		else
			crew_mark(objs[n++]);
	}
	atomic_fetch_add_explicit(&bursts[ANY], 1, memory_order_relaxed);
	return n;
}

static size_t may_sleep(void **objs, size_t want, bool bulk)
{
	size_t n = 0;

	if (bulk)
		n = bma_cache_alloc_bulk(crew.cache, objs, want, BMA_SLEEP);
	while (!bulk && n < want && (objs[n] = bma_cache_alloc_flags(crew.cache, BMA_SLEEP)))
		n++;
	MUST(n == want, "who may sleep got %zu of %zu", n, want);
	for (size_t i = 0; i < n; i++)
		crew_mark(objs[i]);
	atomic_fetch_add_explicit(&bursts[SLEEP], 1, memory_order_relaxed);
	return n;
}

static size_t reserved(struct bma_reserve *r, void **objs, size_t want)
{
	for (size_t i = 0; i < want; i++) {
		objs[i] = crew_mark(bma_reserve_alloc(r));
		MUST(objs[i], "object %zu of the reserve of %d", i, RESERVE);
	}
	atomic_fetch_add_explicit(&bursts[RESERVED], 1, memory_order_relaxed);
	return want;
}

static void give_back(void **objs, size_t n, bool rcu)
{
	while (n--)
		crew_put(objs[n], rcu && n & 1);
}

static void handler(int sig)
{
	static _Thread_local void *objs[BURST];
	uint64_t n = atomic_fetch_add(&signals, 1);

	(void)sig;
	/* Not each time: the threads are to have time of their own. */
	if (!(n & 15) && !crew.stop)
		give_back(objs, any_context(objs, BURST), false);
}

static void *thread(void *arg)
{
	static _Thread_local void *objs[BURST];
	uint64_t rng = crew_seed((uintptr_t)arg);
	struct bma_reserve *reserve = NULL;
	timer_t timer = NULL;

	test_pin((unsigned int)(uintptr_t)arg);
	if (crew_word("storm"))
		timer = storm_start(&rng);
	if ((uintptr_t)arg % 4 == 2) {
		reserve = bma_reserve_create(crew.cache, RESERVE);
		MUST(reserve, "reserve: %s", strerror(errno));
	}
	while (!atomic_load_explicit(&crew.stop, memory_order_relaxed)) {
		uint64_t r = test_random(&rng);
		size_t n, want = STOCK + LOW + r % (BURST - STOCK - LOW);

		if (reserve)
			n = reserved(reserve, objs, 1 + r % RESERVE);
		else if ((uintptr_t)arg % 2)
			n = may_sleep(objs, want, r >> 32 & 1);
		else
			n = any_context(objs, want);
		give_back(objs, n, !(r >> 33 & 7));
		if (reserve)
			MUST(!bma_reserve_refill(reserve), "refill");
		if (!(r >> 40 & 255))
			test_pin((unsigned int)(r >> 50));
	}
	if (timer)
		timer_delete(timer);
	bma_reserve_destroy(reserve);
	return NULL;
}

static void *poller(void *arg)
{
	(void)arg;
	while (!crew.stop) {
		MUST(bma_poll(polls & 1 ? BMA_POLL_GP : 0) >= 0, "poll");
		polls++;
		usleep(PERIOD_US);
	}
	return NULL;
}

static uint64_t all(void)
{
	return bursts[ANY] + bursts[SLEEP] + bursts[RESERVED];
}

int main(int argc, char **argv)
{
	double end = crew_args(argc, argv, 2) + test_seconds();
	uint64_t wanted = crew_number("bursts", 20000);
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .name = "delayed",
				   .size = 128,
				   .reserve = STOCK,
				   .low = LOW};
	struct bma_cache_stats s;
	pthread_t t[THREADS], p;

	/* A million take minutes. */
	alarm((unsigned int)(end - test_seconds()) + 120 + (unsigned int)(wanted / 500));
	crew_conf("worker:off");
	a.batch = (uint32_t)crew_number("batch", 30);
	a.high = 2 * a.batch;
	crew.cache = bma_cache_create(&a);
	MUST(crew.cache, "create: %s", strerror(errno));
	storm_handler(handler);
	crew_start(t, THREADS, thread);
	MUST(!pthread_create(&p, NULL, poller, NULL), "thread");
	while (test_seconds() < end || all() < wanted)
		usleep(10000);
	crew_join(t, THREADS);
	MUST(!pthread_join(p, NULL), "join");
	bma_cache_stats_get(crew.cache, &s, sizeof s);
	MUST(s.fail_depot_empty == empty, "%llu counted, %llu seen",
	     (unsigned long long)s.fail_depot_empty, (unsigned long long)empty);
	MUST(!s.fail_system && !s.fail_refill, "the system refused: %llu, %llu",
	     (unsigned long long)s.fail_system, (unsigned long long)s.fail_refill);
	MUST(bursts[ANY] && bursts[SLEEP] && bursts[RESERVED], "somebody did nothing");
	printf("bursts: any context %llu, may sleep %llu, reserve %llu; polls %llu signals %llu\n",
	       (unsigned long long)bursts[ANY], (unsigned long long)bursts[SLEEP],
	       (unsigned long long)bursts[RESERVED], (unsigned long long)polls,
	       (unsigned long long)signals);
	printf("depot empty %llu refills %llu\n", (unsigned long long)empty,
	       (unsigned long long)s.refills);
	crew_end();
	return 0;
}
