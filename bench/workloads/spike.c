/* SPDX-License-Identifier: MIT */
/*
 * Does memory come back after a spike? A live set is kept; eight times as much is allocated beside it, written, and freed in random order.
 * Then the program goes on with a little work, as programs do (some peers give back only when they are called), and nobody asks the peer for
 * anything: resident bytes over live ones, at some instants. Once per process.
 *
 * Pages that are not the peer's, of this program and its arrays, are counted before and left out.
 */
#include "workloads/workload.h"

#include <string.h>
#include <time.h>

#define LIVE_BYTES ((size_t)128 << 20)
#define TIMES 8
#define SIZE_MIN 64
#define MOST (TIMES * LIVE_BYTES / SIZE_MIN)
#define WORK 1000 /* objects, every: */
#define NAP_NS 10000000

static void *live[LIVE_BYTES / SIZE_MIN], *spike[MOST];
static uint32_t order[MOST];

/* From the last free on. What is due after 2 seconds: two times the second that pages stay, and a grace period. */
static const struct {
	double seconds;
	const char *name;
} instants[] = {
	{0, "ratio_0s"}, {1, "ratio_1s"}, {2.1, "ratio_2s"}, {5, "ratio_5s"}, {10, "ratio_10s"}};

static void take(peer_pool pool, void **to, size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		to[i] = bench_take(pool);
		memset(to[i], 1, size);
	}
}

/* Until @end, in seconds. */
static void go_on(peer_pool pool, double end)
{
	const struct timespec nap = {0, NAP_NS};

	while (host_seconds() < end) {
		for (size_t i = 0; i < WORK; i++) {
			spike[i] = bench_take(pool);
			workload_touch(spike[i], i);
		}
		for (size_t i = 0; i < WORK; i++)
			peer_free(pool, spike[i]);
		nanosleep(&nap, NULL);
	}
}

static void spike_run(struct bench_state *st, void *arg)
{
	size_t size = (size_t)bench_range(st, 0), n = LIVE_BYTES / size, before;
	double freed, start;
	peer_pool pool;

	(void)arg;
	host_unpin();
	memset(live, 1, sizeof(live));
	memset(spike, 1, sizeof(spike));
	workload_shuffle(order, TIMES * n);
	before = host_resident();
	while (bench_keep_running(st)) {
		pool = peer_create(size, (TIMES + 1) * n);
		host_pin(0);
		take(pool, live, n, size);
		take(pool, spike, TIMES * n, size);
		bench_set_counter(st, "peak_ratio",
				  ((double)host_resident() - (double)before) / (double)LIVE_BYTES,
				  0);
		start = host_seconds();
		for (size_t i = 0; i < TIMES * n; i++)
			peer_free(pool, spike[order[i]]);
		freed = host_seconds();
		for (size_t i = 0; i < BENCH_ARRAY_SIZE(instants); i++) {
			go_on(pool, freed + instants[i].seconds);
			bench_set_counter(
				st, instants[i].name,
				((double)host_resident() - (double)before) / (double)LIVE_BYTES, 0);
		}
		bench_set_iteration_time(st, freed - start);
		for (size_t i = 0; i < n; i++)
			peer_free(pool, live[i]);
	}
}

void spike_register(void)
{
	struct bench *b = bench_register("footprint_spike", spike_run, NULL);
	static const char *const names[] = {"size"};

	bench_arg_names(b, names, 1);
	bench_args(b, (const int64_t[]){64}, 1);
	bench_args(b, (const int64_t[]){1024}, 1);
	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
	bench_set_unit(b, BENCH_MILLISECOND);
}
