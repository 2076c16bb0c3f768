/* SPDX-License-Identifier: MIT */
/*
 * Every call of bench_c.h, with results that are known beforehand: test_bench_c.py compares. Where
 * a rate or a time is exact, the time is made up and handed over with bench_set_iteration_time();
 * its seconds are powers of two, so that no rounding comes in.
 */
#include "bench_c_program.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 4
#define STEP (1.0 / 1024)

static void must(int fine, const char *what)
{
	if (!fine) {
		fprintf(stderr, "bench_c_program: %s\n", what);
		abort();
	}
}

/* @arg: how many arguments there are. */
static void ranges(struct bench_state *st, void *arg)
{
	static const char *const names[] = {"x", "y"};

	while (bench_keep_running(st))
		;
	for (size_t i = 0; i < *(size_t *)arg; i++)
		bench_set_counter(st, names[i], (double)bench_range(st, i), BENCH_COUNTER_PLAIN);
}

/* Sums over the threads: 1 + 2 + ... of their numbers, the square of their count. */
static void threads(struct bench_state *st, void *arg)
{
	(void)arg;
	while (bench_keep_running(st))
		;
	bench_set_counter(st, "index", bench_thread_index(st) + 1, BENCH_COUNTER_PLAIN);
	bench_set_counter(st, "count", bench_thread_count(st), BENCH_COUNTER_PLAIN);
}

/* Each thread says 96 in each way. */
static void counters(struct bench_state *st, void *arg)
{
	static const struct {
		const char *name;
		int flags;
	} all[] = {
		{"plain", BENCH_COUNTER_PLAIN},
		{"rate", BENCH_COUNTER_RATE},
		{"average", BENCH_COUNTER_AVG_THREADS},
		{"iteration", BENCH_COUNTER_PER_ITERATION},
		{"invert", BENCH_COUNTER_INVERT},
		{"times", BENCH_COUNTER_TIMES_ITERATIONS},
		{"rate_threads", BENCH_COUNTER_RATE | BENCH_COUNTER_AVG_THREADS},
		{"rate_invert", BENCH_COUNTER_RATE | BENCH_COUNTER_INVERT},
	};

	(void)arg;
	while (bench_keep_running(st))
		bench_set_iteration_time(st, 0.125);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		bench_set_counter(st, all[i].name, 96, all[i].flags);
}

static void rates(struct bench_state *st, void *arg)
{
	(void)arg;
	while (bench_keep_running(st))
		bench_set_iteration_time(st, 0.25);
	bench_set_items_processed(st, bench_iterations(st) * 8);
	bench_set_bytes_processed(st, bench_iterations(st) * 4096);
	bench_set_label(st, "a label, \"quoted\"");
}

static void batch(struct bench_state *st, void *arg)
{
	int64_t rounds = 0;
	int word = 0;

	(void)arg;
	must(bench_use(&word) == &word, "bench_use");
	must(bench_iterations(st) == 0, "iterations before the first");
	while (bench_keep_running_batch(st, 10))
		rounds++;
	bench_set_counter(st, "rounds", (double)rounds, BENCH_COUNTER_PLAIN);
}

/* @arg: whether before the loop or in it. */
static void fails(struct bench_state *st, void *arg)
{
	bool early = *(bool *)arg;
	int rounds = 0;

	must(!bench_error_occurred(st), "an error before there was one");
	if (early)
		bench_skip_with_error(st, "early");
	while (bench_keep_running(st)) {
		if (rounds++ == 1)
			bench_skip_with_error(st, "late");
	}
	must(bench_error_occurred(st), "no error after it");
	must(rounds == (early ? 0 : 2), "rounds of a failed run");
}

/* What was called of a fixture, by all threads of all runs. */
struct calls {
	bool fail;
	_Atomic int set_up;
	_Atomic int body;
	_Atomic int rounds;
	_Atomic int tear_down;
	_Atomic int state[THREADS_MAX];
};

static void step(struct bench_state *st, struct calls *c, int from, int to)
{
	int was = atomic_exchange(&c->state[bench_thread_index(st)], to);

	must(was == from, "order of a fixture's calls");
}

static void set_up(struct bench_state *st, void *arg)
{
	struct calls *c = arg;

	step(st, c, 0, 1);
	c->set_up++;
	if (c->fail)
		bench_skip_with_error(st, "set up");
}

static void body(struct bench_state *st, void *arg)
{
	struct calls *c = arg;

	step(st, c, 1, 2);
	c->body++;
	while (bench_keep_running(st))
		c->rounds++;
}

static void tear_down(struct bench_state *st, void *arg)
{
	struct calls *c = arg;

	step(st, c, 2, 0);
	c->tear_down++;
}

static void bare_body(struct bench_state *st, void *arg)
{
	struct calls *c = arg;

	c->body++;
	while (bench_keep_running(st))
		c->rounds++;
}

static double cube(int64_t n)
{
	return (double)(n * n * n);
}

/* @arg: an order; takes so many STEPs. */
static void grows(struct bench_state *st, void *arg)
{
	double n = (double)bench_range(st, 0), log2n = __builtin_ctzll((unsigned long long)n);
	double steps[] = {1, 1, n, n * n, n * n * n, log2n, n * log2n, n};

	while (bench_keep_running(st))
		bench_set_iteration_time(st, STEP * steps[*(enum bench_big_o *)arg]);
	bench_set_complexity_n(st, bench_range(st, 0));
}

static struct calls with = {0}, without = {0}, failing = {.fail = true};

static struct bench *family(const char *name, bench_fn fn, const void *arg, int64_t iterations)
{
	struct bench *b = bench_register(name, fn, (void *)(uintptr_t)arg);

	if (iterations)
		bench_fix_iterations(b, iterations);
	return b;
}

static void register_arguments(void)
{
	static const size_t one = 1, two = 2;
	static const char *const names[] = {"x", "y"};
	static const int64_t a[] = {2, -3}, c[] = {4, 5}, few[] = {1, 2}, more[] = {10, 20, 30};
	static const struct bench_list lists[] = {{few, 2}, {more, 3}};
	static const struct bench_span spans[] = {{1, 4}, {16, 32}};
	struct bench *b;

	b = family("arg", ranges, &one, 3);
	bench_arg(b, 7);
	bench_arg(b, 0);
	b = family("args", ranges, &two, 3);
	bench_args(b, a, 2);
	bench_args(b, c, 2);
	bench_arg_names(b, names, 2);
	bench_range_args(family("range", ranges, &one, 3), 8, 1000);
	b = family("range_by_4", ranges, &one, 3);
	bench_range_multiplier(b, 4);
	bench_range_args(b, 1, 64);
	bench_dense_range_args(family("dense", ranges, &one, 3), -3, 6, 3);
	b = family("ranges", ranges, &two, 3);
	bench_range_multiplier(b, 2);
	bench_ranges(b, spans, 2);
	bench_args_product(family("product", ranges, &two, 3), lists, 2);
	b = family("threads", threads, NULL, 3);
	bench_threads(b, 1);
	bench_threads(b, 3);
	bench_thread_range(family("thread_range", threads, NULL, 3), 1, 4);
	bench_dense_thread_range(family("dense_threads", threads, NULL, 3), 1, 4, 2);
}

static void register_results(void)
{
	static const bool early = true, late = false;
	static const char *const units[] = {"unit_ns", "unit_us", "unit_ms", "unit_s"};
	struct bench *b = family("counters", counters, NULL, 16);

	bench_use_manual_time(b);
	bench_threads(b, 1);
	bench_threads(b, 2);
	bench_use_manual_time(family("rates", rates, NULL, 4));
	for (int i = 0; i < 4; i++) {
		b = family(units[i], rates, NULL, 2);
		bench_use_manual_time(b);
		bench_set_unit(b, (enum bench_unit)i);
	}
	family("batch", batch, NULL, 25);
	family("fails_early", fails, &early, 3);
	family("fails_late", fails, &late, 3);
	bench_repetitions(family("repeated", rates, NULL, 2), 3);
	b = family("aggregates", rates, NULL, 2);
	bench_repetitions(b, 3);
	bench_report_aggregates_only(b, true);
	b = family("shown_aggregates", rates, NULL, 2);
	bench_repetitions(b, 3);
	bench_display_aggregates_only(b, true);
}

static void register_fixtures(void)
{
	static const struct bench_fixture full = {set_up, body, tear_down},
					  bare = {.body = bare_body};
	struct bench *b = bench_register_fixture("fixture", &full, &with);

	bench_threads(b, 3);
	bench_fix_iterations(b, 5);
	bench_fix_iterations(bench_register_fixture("fixture_bare", &bare, &without), 5);
	bench_fix_iterations(bench_register_fixture("fixture_fails", &full, &failing), 5);
}

static void register_complexity(void)
{
	static const char *const names[] = {"o_none", "o_1",	"o_n",	   "o_n2",
					    "o_n3",   "o_logn", "o_nlogn", "o_auto"};
	static const enum bench_big_o orders[] = {BENCH_O_NONE,	     BENCH_O_1,	      BENCH_O_N,
						  BENCH_O_N_SQUARED, BENCH_O_N_CUBED, BENCH_O_LOG_N,
						  BENCH_O_N_LOG_N,   BENCH_O_AUTO};
	struct bench *b;

	for (size_t i = 0; i < 9; i++) {
		b = family(i < 8 ? names[i] : "o_fn", grows, &orders[i < 8 ? i : 4], 2);
		bench_range_multiplier(b, 2);
		bench_range_args(b, 2, 16);
		bench_use_manual_time(b);
		if (i < 8)
			bench_complexity(b, orders[i]);
		else
			bench_complexity_fn(b, cube);
	}
}

static void print_calls(const char *name, struct calls *c)
{
	fprintf(stderr, "%s %d %d %d %d\n", name, c->set_up, c->body, c->rounds, c->tear_down);
}

static void throws_in_body(struct bench_state *st, void *arg)
{
	const char *where = arg;

	while (bench_keep_running(st)) {
		if (!strcmp(where, "throw=counter"))
			bench_set_counter(st, NULL, 1, BENCH_COUNTER_PLAIN);
		else if (!strcmp(where, "throw=label"))
			bench_set_label(st, NULL);
		else
			bench_skip_with_error(st, NULL);
	}
}

/* Names that are NULL make std::string throw. */
static void throws(char *where)
{
	static const char *const names[] = {NULL};
	struct bench *b = bench_register("throws", throws_in_body, where);

	if (!strcmp(where, "throw=register"))
		bench_register(NULL, throws_in_body, NULL);
	else if (!strcmp(where, "throw=fixture"))
		bench_register_fixture(NULL, &(struct bench_fixture){.body = bare_body}, NULL);
	else if (!strcmp(where, "throw=names"))
		bench_arg_names(b, names, 1);
	else if (!strcmp(where, "throw=context"))
		bench_add_context(NULL, "value");
}

int main(int argc, char **argv)
{
	int rc;

	if (argc > 1 && !strncmp(argv[1], "throw=", 6)) {
		throws(argv[1]);
		argv[1] = argv[0];
		return bench_main(argc - 1, argv + 1);
	}
	bench_add_context("fact", "a \"quoted\" one");
	register_arguments();
	register_results();
	register_fixtures();
	register_complexity();
	times_register();
	rc = bench_main(argc, argv);
	print_calls("fixture", &with);
	print_calls("fixture_bare", &without);
	print_calls("fixture_fails", &failing);
	return rc;
}
