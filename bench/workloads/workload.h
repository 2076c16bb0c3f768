/* SPDX-License-Identifier: MIT */
/* What the workloads share. A workload is a C file compiled once for each peer. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench_c.h"
#include "host.h"
#include "peers/peer.h"

#include <pthread.h>

/* Each workload adds its benchmarks to the program. */
void pair_register(void);
void batch_register(void);
void threads_register(void);
void prodcons_register(void);
void asymmetric_register(void);
void larson_register(void);
void xmalloc_register(void);
void warmup_register(void);
void footprint_register(void);
void spike_register(void);
void mix_register(void);
void maps_register(void);
void latency_register(void);
void numa_register(void);
void trace_register(void);
void heap_sizes_register(void);
void merge_resident_register(void);
void merge_handle_register(void);
/* Of BMA only. */
void heap_known_register(void);
void heap_free_register(void);
void adaptive_register(void);
void burst_register(void);
void exchanges_register(void);
/* Of the methods to defer frees. */
void rcu_call_register(void);
void rcu_churn_register(void);
void rcu_throttled_register(void);
void htab_locked_register(void);
void htab_lfht_register(void);

/** BENCH_ARRAY_SIZE - Elements of an array. */
#define BENCH_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/**
 * struct workload_pool - A pool that lives from its first use to the end of the process, as the
 * pools of programs do. Google Benchmark calls a body many times to find out how often to run it.
 */
struct workload_pool {
	size_t size;
	size_t objects;
	peer_pool pool;
	bool made;
};

/**
 * workload_pools - The pools of a thread that has entered, one for each of @n descriptions.
 *
 * They are made by a thread that is bound nowhere, so that no helper thread of a peer inherits the
 * binding of the thread that is measured. After this the thread is bound to CPU number @cpu.
 */
static inline void workload_pools(struct workload_pool *p, peer_pool *pools, size_t n, int cpu)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n; i++) {
		if (!p[i].made) {
			host_unpin();
			p[i].pool = peer_create(p[i].size, p[i].objects);
			p[i].made = true;
		}
		pools[i] = p[i].pool;
	}
	pthread_mutex_unlock(&lock);
	host_pin(cpu);
}

/**
 * workload_enter - A thread begins a body: registered with the peer, bound to a CPU of its own.
 *
 * Returns: the pool.
 */
static inline peer_pool workload_enter(struct bench_state *st, struct workload_pool *p)
{
	peer_pool pool;

	if (bench_thread_index(st))
		peer_thread_enter();
	workload_pools(p, &pool, 1, bench_thread_index(st));
	return pool;
}

/** workload_leave - A thread ends a body. */
static inline void workload_leave(struct bench_state *st)
{
	if (bench_thread_index(st))
		peer_thread_leave();
}

/** workload_too_few_cpus - Says so, instead of a result, if there are fewer than @n. */
static inline bool workload_too_few_cpus(struct bench_state *st, int n)
{
	if (host_cpus() >= n)
		return false;
	bench_skip_with_error(st, "needs more CPUs");
	return true;
}

/** workload_touch - What a program does with an object at least: write one word of it. */
static inline void workload_touch(void *p, size_t value)
{
	*(volatile size_t *)p = value;
}

/** workload_random - The next number of a sequence (xorshift, Marsaglia 2003); state not 0. */
static inline uint64_t workload_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/** workload_shuffle - Fill order[] with 0 .. n-1 in random order, the same in every run. */
static inline void workload_shuffle(uint32_t *order, size_t n)
{
	uint64_t seed = 88172645463325252u;

	for (size_t i = 0; i < n; i++) {
		size_t j = (size_t)(workload_random(&seed) % (i + 1));

		order[i] = order[j];
		order[j] = (uint32_t)i;
	}
}

/**
 * workload_batch - Allocate @n objects, write one word of each if @touch, free them in the order given.
 *
 * The order is an array in every case, so that the orders differ in nothing else.
 */
static inline __attribute__((always_inline)) void
workload_batch(peer_pool pool, void **objects, const uint32_t *order, size_t n, bool touch)
{
	for (size_t i = 0; i < n; i++) {
		objects[i] = bench_take(pool);
		if (touch)
			workload_touch(objects[i], i);
	}
	for (size_t i = 0; i < n; i++)
		peer_free(pool, objects[order[i]]);
}

#endif /* BENCH_WORKLOAD_H */
