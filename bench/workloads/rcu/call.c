/* SPDX-License-Identifier: MIT */
/*
 * What does a deferred free cost the one who calls it, against a plain free of the same allocator?
 * Batches of objects are allocated, then freed on the clock, plainly and deferred in turn. What
 * waits for a grace period is waited for between batches, off the clock.
 */
#define BENCH_HEAD_AT 48
#include "crew.h"
#include "deferrals/deferral.h"

#define SIZE 64
/* Fewer than defer_rcu() keeps before it waits. */
#define BATCH 2000
#define WARM_UP 4

static void *objects[BATCH];

static void take(peer_pool pool)
{
	for (size_t i = 0; i < BATCH; i++) {
		objects[i] = bench_take(pool);
		workload_touch(objects[i], i);
	}
}

/* Both in ticks per batch. */
static uint64_t plain(peer_pool pool)
{
	uint64_t t;

	take(pool);
	t = host_tick_begin();
	for (size_t i = 0; i < BATCH; i++)
		peer_free(pool, objects[i]);
	return host_tick_end() - t;
}

static uint64_t deferred(peer_pool pool)
{
	uint64_t t;

	take(pool);
	t = host_tick_begin();
	for (size_t i = 0; i < BATCH; i++)
		defer_free(pool, objects[i]);
	t = host_tick_end() - t;
	defer_settle(pool);
	return t;
}

static void call(struct bench_state *st, void *arg)
{
	peer_pool pool = defer_create(SIZE, BATCH);
	uint64_t frees = 0, defers = 0, batches = 0;
	double until, each = host_tick_ns() / BATCH;

	(void)arg;
	host_pin(0);
	while (bench_keep_running(st)) {
		for (int i = 0; i < WARM_UP; i++) {
			plain(pool);
			deferred(pool);
		}
		until = host_seconds() + crew_seconds();
		do {
			frees += plain(pool);
			defers += deferred(pool);
			batches++;
		} while (host_seconds() < until);
		each /= (double)batches;
		bench_set_iteration_time(st, (double)defers * each * 1e-9);
		bench_set_counter(st, "free_ns", (double)frees * each, 0);
		bench_set_counter(st, "defer_ns", (double)defers * each, 0);
		bench_set_counter(st, "over_free", (double)defers / (double)frees, 0);
	}
	host_unpin();
	defer_destroy(pool);
}

void rcu_call_register(void)
{
	struct bench *b = bench_register("rcu/call", call, NULL);
	static const char *const names[] = {"size"};

	bench_arg_names(b, names, 1);
	bench_arg(b, SIZE);
	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
}
