/* SPDX-License-Identifier: MIT */
/*
 * Two threads on two CPUs that one group pays for, against one: what both do in a turn over the time until both are done. `pair` is pairs at once; `row` takes so
 * many objects that a stock, 128 KiB at most, is used up and overflows several times, or so few that it never is. The same of a cache without a group is beside it.
 *
 * The second thread waits without a system call, so that it is there at once; it says `pause` meanwhile, which takes next to nothing from a core it shares.
 */
#include "group.h"

#include <stdatomic.h>

#define ROW_MAX 4096

struct work {
	struct bma_cache *cache[2]; /* with a group, and without */
	size_t n;
	bool row;
};

/* The second thread does what main() says, when @go changes. */
static struct {
	_Alignas(128) _Atomic uint64_t go;
	const struct work *work;
	bool without;
	_Alignas(128) _Atomic uint64_t done;
} second;
static void *objects[2][ROW_MAX];

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ __volatile__("isb" : : : "memory");
#endif
}

static void work_once(const struct work *w, bool without, int number)
{
	if (w->row)
		group_exported_row(w->cache[without], objects[number], w->n);
	else
		group_exported_pairs(w->cache[without], w->n);
}

static void *wait_and_work(void *arg)
{
	uint64_t seen = 0;

	(void)arg;
	host_pin(1);
	for (;;) {
		/* Pairs with the release of both(): what is to be done is known. */
		while (atomic_load_explicit(&second.go, memory_order_acquire) == seen)
			relax();
		seen++;
		if (!second.work)
			return NULL;
		work_once(second.work, second.without, 1);
		atomic_store_explicit(&second.done, seen, memory_order_release);
	}
}

static void start(const struct work *w, bool without)
{
	second.work = w;
	second.without = without;
	atomic_fetch_add_explicit(&second.go, 1, memory_order_release);
}

static uint64_t alone(const struct work *w, bool without)
{
	uint64_t t = host_tick_begin();

	work_once(w, without, 0);
	return host_tick_end() - t;
}

static uint64_t both(const struct work *w, bool without)
{
	uint64_t t = host_tick_begin();

	start(w, without);
	work_once(w, without, 0);
	while (atomic_load_explicit(&second.done, memory_order_acquire) !=
	       atomic_load_explicit(&second.go, memory_order_relaxed))
		relax();
	return host_tick_end() - t;
}

static uint64_t alone_with(void *arg)
{
	return alone(arg, false);
}

static uint64_t both_with(void *arg)
{
	return both(arg, false);
}

static uint64_t alone_without(void *arg)
{
	return alone(arg, true);
}

static uint64_t both_without(void *arg)
{
	return both(arg, true);
}

static uint64_t (*const loops[])(void *) = {alone_with, both_with, alone_without, both_without};

static void threads(struct bench_state *st, void *arg)
{
	static struct turns turns;
	const size_t size = (size_t)bench_range(st, 1);
	struct work w = {.n = (size_t)bench_range(st, 0), .row = arg != NULL};
	double calls = (double)w.n;
	pthread_t thread;

	w.cache[0] = group_cache(size, BMA_CACHE_MERGE, group_made(NULL, 1));
	w.cache[1] = group_cache(size, BMA_CACHE_MERGE, NULL);
	atomic_store(&second.go, 0);
	atomic_store(&second.done, 0);
	if (pthread_create(&thread, NULL, wait_and_work, NULL))
		bench_die("cannot start a thread");
	while (bench_keep_running(st)) {
		turns_run(&turns, loops, BENCH_ARRAY_SIZE(loops), &w);
		bench_set_iteration_time(st, turns_ns(&turns, 1, calls) * 1e-9);
		bench_set_counter(st, "one_ns", turns_ns(&turns, 0, calls), 0);
		bench_set_counter(st, "two_ns", turns_ns(&turns, 1, calls), 0);
		/* Two do twice as much in the time of a turn. */
		bench_set_counter(st, "two_over_one", 2 * group_ratio(&turns, 0, 1, calls), 0);
		bench_set_counter(st, "without_one_ns", turns_ns(&turns, 2, calls), 0);
		bench_set_counter(st, "two_over_one_without", 2 * group_ratio(&turns, 2, 3, calls),
				  0);
	}
	start(NULL, false);
	pthread_join(thread, NULL);
}

static void add(const char *name, bool row, int64_t n, int64_t size)
{
	static const char *const names[] = {"n", "size"};
	static char is_row;
	struct bench *b = group_row(name, threads, row ? &is_row : NULL);

	bench_arg_names(b, names, 2);
	bench_args(b, (const int64_t[]){n, size}, 2);
}

void group_threads_register(void)
{
	if (host_cpus() < 2)
		return;
	add("group/threads/pair", false, GROUP_PAIRS, 64);
	add("group/threads/row", true, 1024, 64);
	add("group/threads/row", true, ROW_MAX, 64);
	add("group/threads/row", true, 1024, 1024);
}
