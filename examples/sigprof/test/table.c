/* SPDX-License-Identifier: MIT */
/*
 * The table of stacks by itself, for sanitizers, which cannot be preloaded. In each round threads,
 * and the signal handlers that interrupt them, add the same new stacks at once. Then every stack
 * stands there once, the counts add up, and records that were taken twice have been given back.
 */
#include "../sigprof.h"

#include <bma/bma.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define THREADS 4
#define ROUNDS 300
#define STACKS 500
#define SIGNAL_NANOSECONDS 80000

struct sigprof_counts sigprof_counts;

static atomic_uint_fast64_t added, refused, signals;
static atomic_uintptr_t newest;
static pthread_barrier_t barrier;
static sigset_t ours;
static int bad;

static struct {
	uint64_t records, sum, twice, torn;
	unsigned char seen[STACKS];
} found;

/* Stack @n: a depth and addresses that follow from @n. */
static size_t make(uintptr_t n, uintptr_t *pcs)
{
	size_t depth = 1 + n % SIGPROF_DEPTH;

	for (size_t i = 0; i < depth; i++)
		pcs[i] = (n + 1) * 4096 + i;
	return depth;
}

static void add(uintptr_t n)
{
	uintptr_t pcs[SIGPROF_DEPTH];

	if (sigprof_record_add(pcs, make(n, pcs), 1))
		atomic_fetch_add(&added, 1);
	else
		atomic_fetch_add(&refused, 1);
}

/* The stacks that the threads are about to add. */
static void handle(int signal)
{
	uintptr_t n = atomic_load(&newest);

	(void)signal;
	for (uintptr_t i = 0; i < 4; i++)
		add((n + i) % STACKS);
	atomic_fetch_add(&signals, 1);
}

static void check(struct sigprof_record *record, void *arg)
{
	uintptr_t pcs[SIGPROF_DEPTH];
	uintptr_t n = record->pcs[0] / 4096 - 1;

	(void)arg;
	found.records++;
	found.sum += atomic_load(&record->count);
	if (n >= STACKS || make(n, pcs) != record->depth ||
	    memcmp(pcs, record->pcs, record->depth * sizeof(pcs[0])) != 0)
		found.torn++;
	else if (found.seen[n]++)
		found.twice++;
}

static void expect(int round, const char *what, uint64_t is, uint64_t wanted)
{
	if (is == wanted)
		return;
	printf("round %d: %s: %llu, expected %llu\n", round, what, (unsigned long long)is,
	       (unsigned long long)wanted);
	bad = 1;
}

static uint64_t live(struct bma_cache *cache)
{
	struct bma_cache_stats stats;

	if (bma_cache_stats_get(cache, &stats, sizeof(stats)))
		abort();
	return stats.live;
}

static void keep(struct sigprof_record *record, void *arg)
{
	void ***next = arg;

	*(*next)++ = record;
}

/* Gives all records back and makes the next table. */
static void start_anew(int round)
{
	struct bma_cache *cache = sigprof_record_cache();
	void *records[STACKS], **end = records;

	if (found.records <= STACKS) {
		sigprof_record_each(keep, &end);
		bma_cache_free_bulk(cache, records, found.records);
		expect(round, "live records after all are free", live(cache), 0);
		if (bma_cache_destroy(cache))
			abort();
	}
	if (!sigprof_record_init())
		abort();
	atomic_store(&added, 0);
	atomic_store(&refused, 0);
}

/* All other threads wait, their signals blocked. */
static void judge(int round)
{
	memset(&found, 0, sizeof(found));
	sigprof_record_each(check, NULL);
	expect(round, "sum of counts", found.sum, atomic_load(&added));
	if (!atomic_load(&refused))
		expect(round, "stacks", found.records, STACKS);
	expect(round, "stacks twice", found.twice, 0);
	expect(round, "torn stacks", found.torn, 0);
	expect(round, "live records", live(sigprof_record_cache()), found.records);
	start_anew(round);
}

static void start_signals(void)
{
	struct itimerspec period = {{0, SIGNAL_NANOSECONDS}, {0, SIGNAL_NANOSECONDS}};
	struct sigevent event;
	timer_t timer;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGUSR1;
	event.sigev_notify_thread_id = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &period, NULL))
		abort();
}

static void *work(void *arg)
{
	start_signals();
	for (int round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&barrier);
		pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
		for (uintptr_t n = 0; n < STACKS; n++) {
			atomic_store_explicit(&newest, n, memory_order_relaxed);
			add(n);
		}
		pthread_sigmask(SIG_BLOCK, &ours, NULL);
		pthread_barrier_wait(&barrier);
		if (!arg)
			judge(round);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handle;
	action.sa_flags = SA_RESTART;
	sigemptyset(&ours);
	sigaddset(&ours, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
	if (!sigprof_record_init() || sigaction(SIGUSR1, &action, NULL) ||
	    pthread_barrier_init(&barrier, NULL, THREADS))
		return 2;
	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, work, i ? &threads[i] : NULL))
			return 3;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("%llu signals\n", (unsigned long long)atomic_load(&signals));
	if (!atomic_load(&signals))
		bad = 1;
	return bad;
}
