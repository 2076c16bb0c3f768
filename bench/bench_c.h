/* SPDX-License-Identifier: MIT */
/*
 * Google Benchmark from C.
 *
 *	static void copy(struct bench_state *st, void *arg)
 *	{
 *		size_t n = (size_t)bench_range(st, 0);
 *		...
 *		while (bench_keep_running(st))
 *			memcpy(to, from, n);
 *		bench_set_bytes_processed(st, bench_iterations(st) * (int64_t)n);
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct bench *b = bench_register("copy", copy, NULL);
 *
 *		bench_range_args(b, 64, 4096);
 *		bench_threads(b, 2);
 *		return bench_main(argc, argv);
 *	}
 *
 * Names follow the C++ ones, so that Google Benchmark's own manual serves as this one's. All of
 * its command line works: --benchmark_filter, --benchmark_format=json, --benchmark_repetitions,
 * --benchmark_enable_random_interleaving and so on.
 *
 * No C++ exception passes through these calls: one that Google Benchmark throws, for want of memory
 * or because a name is NULL, is printed and ends the process at once with status 1.
 */
#ifndef BENCH_C_H
#define BENCH_C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct bench - A registered family of benchmarks, to be configured before bench_main(). */
struct bench;
/** struct bench_state - One thread of one run of one benchmark. */
struct bench_state;

/**
 * bench_fn - The body of a benchmark.
 *
 * Called several times with growing numbers of iterations, and once per thread each time. It must
 * loop on bench_keep_running() or bench_keep_running_batch() until that says false.
 */
typedef void (*bench_fn)(struct bench_state *st, void *arg);

/* Registration: before bench_main(), from one thread. */

/**
 * bench_register - Add a benchmark.
 * @name: copied; what --benchmark_filter sees, followed by arguments and options.
 * @fn: the body; @arg: handed to it.
 *
 * Returns: a handle for the calls below, owned by Google Benchmark.
 */
struct bench *bench_register(const char *name, bench_fn fn, void *arg);

/**
 * struct bench_fixture - What benchmark::Fixture is in C++.
 *
 * Every thread of every run calls @set_up, @body and @tear_down, in this order and with the same
 * arguments. The threads do not wait for each other before they do: the first call of
 * bench_keep_running() is where they meet. @set_up and @tear_down may be NULL.
 */
struct bench_fixture {
	bench_fn set_up;
	bench_fn body;
	bench_fn tear_down;
};
/** bench_register_fixture - Add a benchmark that is one; @fixture is copied. */
struct bench *bench_register_fixture(const char *name, const struct bench_fixture *fixture,
				     void *arg);

/** bench_arg - Run with one argument; call again for more instances of the family. */
void bench_arg(struct bench *b, int64_t x);
/** bench_args - Run with @n arguments at once; call again for more instances. */
void bench_args(struct bench *b, const int64_t *x, size_t n);
/** bench_range_args - Run with lo, powers of the range multiplier between, and hi. */
void bench_range_args(struct bench *b, int64_t lo, int64_t hi);
/** bench_range_multiplier - The step of bench_range_args(); 8 unless set first. */
void bench_range_multiplier(struct bench *b, int multiplier);
/** bench_dense_range_args - Run with lo, lo + step, ... up to hi. */
void bench_dense_range_args(struct bench *b, int64_t lo, int64_t hi, int step);
/** struct bench_span - What bench_range_args() takes, for one of several arguments. */
struct bench_span {
	int64_t lo;
	int64_t hi;
};
/** bench_ranges - Run with each combination of values of @n ranges, one for each argument. */
void bench_ranges(struct bench *b, const struct bench_span *spans, size_t n);
/** struct bench_list - Values of one of several arguments. */
struct bench_list {
	const int64_t *x;
	size_t n;
};
/** bench_args_product - Run with each combination of values of @n lists, one for each argument. */
void bench_args_product(struct bench *b, const struct bench_list *lists, size_t n);
/** bench_arg_names - Name the @n arguments: "copy/size:64" instead of "copy/64". */
void bench_arg_names(struct bench *b, const char *const *names, size_t n);

/** bench_threads - Run with @n threads; call again for more instances. */
void bench_threads(struct bench *b, int n);
/** bench_thread_range - Run with lo, 2 lo, 4 lo, ... up to hi threads. */
void bench_thread_range(struct bench *b, int lo, int hi);
/** bench_dense_thread_range - Run with lo, lo + step, ... threads, and with hi. */
void bench_dense_thread_range(struct bench *b, int lo, int hi, int step);

/** bench_fix_iterations - Exactly @n iterations, instead of as many as the time asks for. */
void bench_fix_iterations(struct bench *b, int64_t n);
/** bench_min_time - Seconds of one run, instead of --benchmark_min_time. */
void bench_min_time(struct bench *b, double seconds);
/** bench_min_warm_up_time - Seconds of runs before it that do not count. */
void bench_min_warm_up_time(struct bench *b, double seconds);
/** bench_repetitions - Runs of each instance, instead of --benchmark_repetitions. */
void bench_repetitions(struct bench *b, int n);
/** bench_report_aggregates_only - Of repetitions report mean, median and so on, not each run. */
void bench_report_aggregates_only(struct bench *b, bool only);
/** bench_display_aggregates_only - The same, but --benchmark_out still gets each run. */
void bench_display_aggregates_only(struct bench *b, bool only);

/* Which clock decides how long to run, and rates are divided by. Without one of these: the CPU time
 * of the thread. Real and CPU time are reported in any case. */

/** bench_use_real_time - Wall clock: right for more than one thread. */
void bench_use_real_time(struct bench *b);
/** bench_use_manual_time - What the body passes to bench_set_iteration_time(). */
void bench_use_manual_time(struct bench *b);
/** bench_measure_process_cpu_time - CPU time of the whole process, helper threads included. */
void bench_measure_process_cpu_time(struct bench *b);

/** enum bench_unit - Unit of reported times. */
enum bench_unit { BENCH_NANOSECOND, BENCH_MICROSECOND, BENCH_MILLISECOND, BENCH_SECOND };
/** bench_set_unit - Report times in this unit; nanoseconds otherwise. */
void bench_set_unit(struct bench *b, enum bench_unit unit);

/** enum bench_big_o - How the time grows with N; BENCH_O_AUTO: whichever fits best. */
enum bench_big_o {
	BENCH_O_NONE,
	BENCH_O_1,
	BENCH_O_N,
	BENCH_O_N_SQUARED,
	BENCH_O_N_CUBED,
	BENCH_O_LOG_N,
	BENCH_O_N_LOG_N,
	BENCH_O_AUTO
};
/**
 * bench_complexity - After the instances of the family, report its coefficient (NAME_BigO) and how
 * far off the runs are (NAME_RMS). Their bodies must call bench_set_complexity_n(). BENCH_O_AUTO
 * goes by CPU time, whichever clock is used.
 */
void bench_complexity(struct bench *b, enum bench_big_o big_o);
/** bench_complexity_fn - The same with a curve of one's own: @fn of N. */
void bench_complexity_fn(struct bench *b, double (*fn)(int64_t n));

/* Inside the body. */

/** bench_keep_running - Loop condition, one iteration at a time. The first call starts the clock,
 * once all threads are there. */
bool bench_keep_running(struct bench_state *st);
/**
 * bench_keep_running_batch - Loop condition that counts for @n iterations.
 *
 * This is a call into C++, some nanoseconds: let the body do many operations per call when one
 * takes as little as that.
 */
bool bench_keep_running_batch(struct bench_state *st, int64_t n);

/** bench_iterations - Iterations done so far, by this thread. */
int64_t bench_iterations(const struct bench_state *st);
/** bench_range - The argument number @i of this instance, which must have that many. */
int64_t bench_range(const struct bench_state *st, size_t i);
/** bench_thread_index - This thread's number, from 0. */
int bench_thread_index(const struct bench_state *st);
/** bench_thread_count - How many threads run this body. */
int bench_thread_count(const struct bench_state *st);

/** bench_pause_timing - Stop the clock, inside the loop; costs some 100 ns. */
void bench_pause_timing(struct bench_state *st);
/** bench_resume_timing - Start it again. */
void bench_resume_timing(struct bench_state *st);
/** bench_set_iteration_time - What this iteration took, with bench_use_manual_time(). */
void bench_set_iteration_time(struct bench_state *st, double seconds);
/** bench_skip_with_error - Report @message instead of a result. Leave the loop after it. */
void bench_skip_with_error(struct bench_state *st, const char *message);
/** bench_error_occurred - Has this thread called bench_skip_with_error()? */
bool bench_error_occurred(const struct bench_state *st);
/** bench_set_complexity_n - What N is in this instance, more than 0; see bench_complexity(). */
void bench_set_complexity_n(struct bench_state *st, int64_t n);

/** bench_set_items_processed - This thread's items: gives items_per_second, over all threads. */
void bench_set_items_processed(struct bench_state *st, int64_t items);
/** bench_set_bytes_processed - This thread's bytes: gives bytes_per_second, over all threads. */
void bench_set_bytes_processed(struct bench_state *st, int64_t bytes);
/** bench_set_label - A text beside the result. */
void bench_set_label(struct bench_state *st, const char *label);

/** enum bench_counter_flags - What becomes of a counter; threads' values are added up first. */
enum bench_counter_flags {
	BENCH_COUNTER_PLAIN = 0,
	BENCH_COUNTER_RATE = 1 << 0,		 /* divided by the time */
	BENCH_COUNTER_AVG_THREADS = 1 << 1,	 /* divided by the number of threads */
	BENCH_COUNTER_PER_ITERATION = 1 << 2,	 /* divided by the number of iterations */
	BENCH_COUNTER_INVERT = 1 << 3,		 /* 1 / x, last */
	BENCH_COUNTER_TIMES_ITERATIONS = 1 << 4, /* multiplied by the number of iterations */
};
/** bench_set_counter - A figure of one's own beside the result; @flags: BENCH_COUNTER_*, or-ed. */
void bench_set_counter(struct bench_state *st, const char *name, double value, int flags);

/* The program. */

/** bench_add_context - A fact for the head of the report: versions, settings. Before
 * bench_main(). */
void bench_add_context(const char *key, const char *value);
/**
 * bench_main - Read the command line and run what it selects.
 *
 * Returns: what main() should: 0, or 2 if an argument was not understood.
 */
int bench_main(int argc, char **argv);

/** bench_use - Make the compiler believe that @p is used and may have changed. Costs nothing. */
static inline void *bench_use(void *p)
{
	__asm__ __volatile__("" : "+r"(p) : : "memory");
	return p;
}

#ifdef __cplusplus
}
#endif

#endif /* BENCH_C_H */
