/* SPDX-License-Identifier: MIT */
/* The calls of bench_c.h for the body of a benchmark. */
#include "bench_c_guard.h"

#include <string>

namespace
{

using benchmark::Counter;
using benchmark::State;

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
	if (flags & BENCH_COUNTER_TIMES_ITERATIONS)
		f |= Counter::kIsIterationInvariant;
	if (flags & BENCH_COUNTER_INVERT)
		f |= Counter::kInvert;
	return static_cast<Counter::Flags>(f);
}

} // namespace

bool bench_keep_running(struct bench_state *st)
{
	return GUARDED_VALUE(state(st).KeepRunning());
}

bool bench_keep_running_batch(struct bench_state *st, int64_t n)
{
	return GUARDED_VALUE(state(st).KeepRunningBatch(n));
}

int64_t bench_iterations(const struct bench_state *st)
{
	return GUARDED_VALUE(static_cast<int64_t>(state(st).iterations()));
}

int64_t bench_range(const struct bench_state *st, size_t i)
{
	return GUARDED_VALUE(state(st).range(i));
}

int bench_thread_index(const struct bench_state *st)
{
	return GUARDED_VALUE(state(st).thread_index());
}

int bench_thread_count(const struct bench_state *st)
{
	return GUARDED_VALUE(state(st).threads());
}

void bench_pause_timing(struct bench_state *st)
{
	GUARDED(state(st).PauseTiming());
}

void bench_resume_timing(struct bench_state *st)
{
	GUARDED(state(st).ResumeTiming());
}

void bench_set_iteration_time(struct bench_state *st, double seconds)
{
	GUARDED(state(st).SetIterationTime(seconds));
}

void bench_skip_with_error(struct bench_state *st, const char *message)
{
	GUARDED(state(st).SkipWithError(std::string(message).c_str()));
}

bool bench_error_occurred(const struct bench_state *st)
{
	return GUARDED_VALUE(state(st).error_occurred());
}

void bench_set_complexity_n(struct bench_state *st, int64_t n)
{
	GUARDED(state(st).SetComplexityN(n));
}

void bench_set_items_processed(struct bench_state *st, int64_t items)
{
	GUARDED(state(st).SetItemsProcessed(items));
}

void bench_set_bytes_processed(struct bench_state *st, int64_t bytes)
{
	GUARDED(state(st).SetBytesProcessed(bytes));
}

void bench_set_label(struct bench_state *st, const char *label)
{
	GUARDED(state(st).SetLabel(std::string(label)));
}

void bench_set_counter(struct bench_state *st, const char *name, double value, int flags)
{
	GUARDED(state(st).counters[name] = Counter(value, counter_flags(flags)));
}
