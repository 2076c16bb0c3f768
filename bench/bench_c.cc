/* SPDX-License-Identifier: MIT */
/*
 * The C++ half of bench_c.h: each call forwards to the member of the same name. The two structs are
 * never defined; a pointer to one is the pointer to Google Benchmark's object.
 */
#include "bench_c.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace
{

using Family = benchmark::internal::Benchmark;
using benchmark::Counter;
using benchmark::State;

Family *family(struct bench *b)
{
	return reinterpret_cast<Family *>(b);
}

State &state(struct bench_state *st)
{
	return *reinterpret_cast<State *>(st);
}

const State &state(const struct bench_state *st)
{
	return *reinterpret_cast<const State *>(st);
}

Counter::Flags counter_flags(int flags)
{
	int f = Counter::kDefaults;

	if (flags & BENCH_COUNTER_RATE)
		f |= Counter::kIsRate;
	if (flags & BENCH_COUNTER_AVG_THREADS)
		f |= Counter::kAvgThreads;
	if (flags & BENCH_COUNTER_PER_ITERATION)
		f |= Counter::kAvgIterations;
	if (flags & BENCH_COUNTER_INVERT)
		f |= Counter::kInvert;
	return static_cast<Counter::Flags>(f);
}

} // namespace

struct bench *bench_register(const char *name, bench_fn fn, void *arg)
{
	Family *b = benchmark::RegisterBenchmark(name, [fn, arg](State &st) {
		fn(reinterpret_cast<struct bench_state *>(&st), arg);
	});

	return reinterpret_cast<struct bench *>(b);
}

void bench_arg(struct bench *b, int64_t x)
{
	family(b)->Arg(x);
}

void bench_args(struct bench *b, const int64_t *x, size_t n)
{
	family(b)->Args(std::vector<int64_t>(x, x + n));
}

void bench_range_args(struct bench *b, int64_t lo, int64_t hi)
{
	family(b)->Range(lo, hi);
}

void bench_range_multiplier(struct bench *b, int multiplier)
{
	family(b)->RangeMultiplier(multiplier);
}

void bench_dense_range_args(struct bench *b, int64_t lo, int64_t hi, int step)
{
	family(b)->DenseRange(lo, hi, step);
}

void bench_arg_names(struct bench *b, const char *const *names, size_t n)
{
	family(b)->ArgNames(std::vector<std::string>(names, names + n));
}

void bench_threads(struct bench *b, int n)
{
	family(b)->Threads(n);
}

void bench_thread_range(struct bench *b, int lo, int hi)
{
	family(b)->ThreadRange(lo, hi);
}

void bench_fix_iterations(struct bench *b, int64_t n)
{
	family(b)->Iterations(n);
}

void bench_min_time(struct bench *b, double seconds)
{
	family(b)->MinTime(seconds);
}

void bench_repetitions(struct bench *b, int n)
{
	family(b)->Repetitions(n);
}

void bench_use_real_time(struct bench *b)
{
	family(b)->UseRealTime();
}

void bench_use_manual_time(struct bench *b)
{
	family(b)->UseManualTime();
}

void bench_measure_process_cpu_time(struct bench *b)
{
	family(b)->MeasureProcessCPUTime();
}

void bench_set_unit(struct bench *b, enum bench_unit unit)
{
	switch (unit) {
	case BENCH_NANOSECOND:
		family(b)->Unit(benchmark::kNanosecond);
		break;
	case BENCH_MICROSECOND:
		family(b)->Unit(benchmark::kMicrosecond);
		break;
	case BENCH_MILLISECOND:
		family(b)->Unit(benchmark::kMillisecond);
		break;
	case BENCH_SECOND:
		family(b)->Unit(benchmark::kSecond);
		break;
	}
}

bool bench_keep_running(struct bench_state *st)
{
	return state(st).KeepRunning();
}

bool bench_keep_running_batch(struct bench_state *st, int64_t n)
{
	return state(st).KeepRunningBatch(n);
}

int64_t bench_iterations(const struct bench_state *st)
{
	return static_cast<int64_t>(state(st).iterations());
}

int64_t bench_range(const struct bench_state *st, size_t i)
{
	return state(st).range(i);
}

int bench_thread_index(const struct bench_state *st)
{
	return state(st).thread_index();
}

int bench_thread_count(const struct bench_state *st)
{
	return state(st).threads();
}

void bench_pause_timing(struct bench_state *st)
{
	state(st).PauseTiming();
}

void bench_resume_timing(struct bench_state *st)
{
	state(st).ResumeTiming();
}

void bench_set_iteration_time(struct bench_state *st, double seconds)
{
	state(st).SetIterationTime(seconds);
}

void bench_skip_with_error(struct bench_state *st, const char *message)
{
	state(st).SkipWithError(message);
}

void bench_set_items_processed(struct bench_state *st, int64_t items)
{
	state(st).SetItemsProcessed(items);
}

void bench_set_bytes_processed(struct bench_state *st, int64_t bytes)
{
	state(st).SetBytesProcessed(bytes);
}

void bench_set_label(struct bench_state *st, const char *label)
{
	state(st).SetLabel(label);
}

void bench_set_counter(struct bench_state *st, const char *name, double value, int flags)
{
	state(st).counters[name] = Counter(value, counter_flags(flags));
}

void bench_add_context(const char *key, const char *value)
{
	benchmark::AddCustomContext(key, value);
}

int bench_main(int argc, char **argv)
{
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return 0;
}
