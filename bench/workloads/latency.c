/* SPDX-License-Identifier: MIT */
/*
 * How long can a single call take? Every call of a random churn is timed with the time stamp
 * counter: a random one of PLACES is freed if it holds an object, and filled if not, so that the
 * number of live objects wanders and caches run full and empty. Once alone (latency), and once while
 * another thread, on another CPU, takes STORM objects of the same pool and frees them, over and over
 * (latency_storm).
 */
#include "workloads/workload.h"

#include <stdatomic.h>
#include <string.h>

#define PLACES 10000
#define STEPS 1024
#define STORM 5000
/* Longest time told apart, in ticks; longer ones count as this. */
#define TICKS 65536

static struct workload_pool pool_64 = {.size = 64, .objects = PLACES + STORM};

/* Calls that took so many ticks. */
struct histogram {
	uint64_t calls;
	uint64_t longest;
	uint32_t count[TICKS];
};

static struct histogram alloc_times, free_times;
static void *places[PLACES];
static _Atomic bool storm_ends;

static inline void record(struct histogram *h, uint64_t ticks)
{
	h->calls++;
	if (ticks > h->longest)
		h->longest = ticks;
	h->count[ticks < TICKS ? ticks : TICKS - 1]++;
}

/* What reading the counter twice takes, at least: part of every time that is measured. */
static uint64_t overhead(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 10000; i++) {
		uint64_t t = host_tick_begin();

		t = host_tick_end() - t;
		if (t < least)
			least = t;
	}
	return least;
}

static void churn(peer_pool pool, uint64_t *seed, uint64_t least)
{
	for (int i = 0; i < STEPS; i++) {
		void **place = &places[workload_random(seed) % PLACES];
		void *p = *place;
		uint64_t t;

		if (p) {
			t = host_tick_begin();
			peer_free(pool, p);
			t = host_tick_end() - t;
			*place = NULL;
			record(&free_times, t > least ? t - least : 0);
		} else {
			t = host_tick_begin();
			p = bench_use(bench_take(pool));
			t = host_tick_end() - t;
			workload_touch(p, (size_t)i);
			*place = p;
			record(&alloc_times, t > least ? t - least : 0);
		}
	}
}

static void percentile(struct bench_state *st, const struct histogram *h, const char *call,
		       const char *name, double share)
{
	uint64_t want = (uint64_t)((double)h->calls * share), seen = 0;
	char key[32];
	size_t i = 0;

	while (i < TICKS - 1 && (seen += h->count[i]) <= want)
		i++;
	snprintf(key, sizeof(key), "%s_%s_ns", call, name);
	bench_set_counter(st, key, (double)i * host_tick_ns(), 0);
}

static void percentiles(struct bench_state *st, const struct histogram *h, const char *call)
{
	char key[32];

	percentile(st, h, call, "p50", 0.50);
	percentile(st, h, call, "p99", 0.99);
	percentile(st, h, call, "p99.9", 0.999);
	percentile(st, h, call, "p99.99", 0.9999);
	snprintf(key, sizeof(key), "%s_max_ns", call);
	bench_set_counter(st, key, (double)h->longest * host_tick_ns(), 0);
}

static void latency(struct bench_state *st, void *arg)
{
	peer_pool pool = workload_enter(st, arg);
	uint64_t seed = 2463534242u, least = overhead();

	/* Half of the places are filled in the long run. */
	for (int i = 0; i < 4 * PLACES / STEPS; i++)
		churn(pool, &seed, least);
	memset(&alloc_times, 0, sizeof(alloc_times));
	memset(&free_times, 0, sizeof(free_times));
	while (bench_keep_running_batch(st, STEPS))
		churn(pool, &seed, least);
	percentiles(st, &alloc_times, "alloc");
	percentiles(st, &free_times, "free");
	for (size_t i = 0; i < PLACES; i++) {
		if (places[i])
			peer_free(pool, places[i]);
		places[i] = NULL;
	}
	workload_leave(st);
}

static void *storm(void *arg)
{
	static void *objects[STORM];
	peer_pool pool = *(const peer_pool *)arg;

	peer_thread_enter();
	host_pin(1);
	while (!atomic_load_explicit(&storm_ends, memory_order_relaxed)) {
		for (size_t i = 0; i < STORM; i++)
			objects[i] = bench_take(pool);
		for (size_t i = 0; i < STORM; i++)
			peer_free(pool, objects[i]);
	}
	peer_thread_leave();
	return NULL;
}

static void latency_storm(struct bench_state *st, void *arg)
{
	peer_pool pool;
	pthread_t thread;

	if (workload_too_few_cpus(st, 2))
		return;
	pool = workload_enter(st, arg);
	atomic_store(&storm_ends, false);
	if (pthread_create(&thread, NULL, storm, &pool))
		bench_die("pthread_create failed");
	latency(st, arg);
	atomic_store(&storm_ends, true);
	pthread_join(thread, NULL);
}

void latency_register(void)
{
	static const char *const names[] = {"size"};
	struct bench *b;

	b = bench_register("latency", latency, &pool_64);
	bench_arg_names(b, names, 1);
	bench_arg(b, (int64_t)pool_64.size);
	b = bench_register("latency_storm", latency_storm, &pool_64);
	bench_arg_names(b, names, 1);
	bench_arg(b, (int64_t)pool_64.size);
}
