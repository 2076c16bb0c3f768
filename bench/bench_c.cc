/* SPDX-License-Identifier: MIT */
/* The calls of bench_c.h that register benchmarks and run them: each forwards to the member of the
 * same name. */
#include "bench_c_guard.h"

#include <string>
#include <utility>
#include <vector>

namespace
{

using Family = benchmark::internal::Benchmark;
using benchmark::State;

Family *family(struct bench *b)
{
	return reinterpret_cast<Family *>(b);
}

class Fixture : public benchmark::Fixture
{
      public:
	Fixture(const char *name, const struct bench_fixture &calls, void *arg)
	    : calls_(calls), arg_(arg)
	{
		/* A string, which refuses NULL. */
		SetName(std::string(name).c_str());
	}

	using benchmark::Fixture::SetUp;
	using benchmark::Fixture::TearDown;

	void SetUp(State &st) override
	{
		if (calls_.set_up)
			calls_.set_up(reinterpret_cast<struct bench_state *>(&st), arg_);
	}

	void TearDown(State &st) override
	{
		if (calls_.tear_down)
			calls_.tear_down(reinterpret_cast<struct bench_state *>(&st), arg_);
	}

      protected:
	void BenchmarkCase(State &st) override
	{
		calls_.body(reinterpret_cast<struct bench_state *>(&st), arg_);
	}

      private:
	const struct bench_fixture calls_;
	void *const arg_;
};

benchmark::BigO big_o_of(enum bench_big_o big_o)
{
	switch (big_o) {
	case BENCH_O_NONE:
		return benchmark::oNone;
	case BENCH_O_1:
		return benchmark::o1;
	case BENCH_O_N:
		return benchmark::oN;
	case BENCH_O_N_SQUARED:
		return benchmark::oNSquared;
	case BENCH_O_N_CUBED:
		return benchmark::oNCubed;
	case BENCH_O_LOG_N:
		return benchmark::oLogN;
	case BENCH_O_N_LOG_N:
		return benchmark::oNLogN;
	case BENCH_O_AUTO:
		return benchmark::oAuto;
	}
	bench_c::die("bench_complexity", "no such order");
}

benchmark::TimeUnit unit_of(enum bench_unit unit)
{
	switch (unit) {
	case BENCH_NANOSECOND:
		return benchmark::kNanosecond;
	case BENCH_MICROSECOND:
		return benchmark::kMicrosecond;
	case BENCH_MILLISECOND:
		return benchmark::kMillisecond;
	case BENCH_SECOND:
		return benchmark::kSecond;
	}
	bench_c::die("bench_set_unit", "no such unit");
}

} // namespace

struct bench *bench_register(const char *name, bench_fn fn, void *arg)
{
	return GUARDED_VALUE(reinterpret_cast<struct bench *>(
		benchmark::RegisterBenchmark(name, [fn, arg](State &st) {
			fn(reinterpret_cast<struct bench_state *>(&st), arg);
		})));
}

struct bench *bench_register_fixture(const char *name, const struct bench_fixture *fixture,
				     void *arg)
{
	return GUARDED_VALUE(reinterpret_cast<struct bench *>(
		benchmark::internal::RegisterBenchmarkInternal(new Fixture(name, *fixture, arg))));
}

void bench_arg(struct bench *b, int64_t x)
{
	GUARDED(family(b)->Arg(x));
}

void bench_args(struct bench *b, const int64_t *x, size_t n)
{
	GUARDED(family(b)->Args(std::vector<int64_t>(x, x + n)));
}

void bench_range_args(struct bench *b, int64_t lo, int64_t hi)
{
	GUARDED(family(b)->Range(lo, hi));
}

void bench_range_multiplier(struct bench *b, int multiplier)
{
	GUARDED(family(b)->RangeMultiplier(multiplier));
}

void bench_dense_range_args(struct bench *b, int64_t lo, int64_t hi, int step)
{
	GUARDED(family(b)->DenseRange(lo, hi, step));
}

void bench_ranges(struct bench *b, const struct bench_span *spans, size_t n)
{
	bench_c::guarded(__func__, [&]() {
		std::vector<std::pair<int64_t, int64_t>> ranges;

		for (size_t i = 0; i < n; i++)
			ranges.emplace_back(spans[i].lo, spans[i].hi);
		family(b)->Ranges(ranges);
	});
}

void bench_args_product(struct bench *b, const struct bench_list *lists, size_t n)
{
	bench_c::guarded(__func__, [&]() {
		std::vector<std::vector<int64_t>> args;

		for (size_t i = 0; i < n; i++)
			args.emplace_back(lists[i].x, lists[i].x + lists[i].n);
		family(b)->ArgsProduct(args);
	});
}

void bench_arg_names(struct bench *b, const char *const *names, size_t n)
{
	GUARDED(family(b)->ArgNames(std::vector<std::string>(names, names + n)));
}

void bench_threads(struct bench *b, int n)
{
	GUARDED(family(b)->Threads(n));
}

void bench_thread_range(struct bench *b, int lo, int hi)
{
	GUARDED(family(b)->ThreadRange(lo, hi));
}

void bench_dense_thread_range(struct bench *b, int lo, int hi, int step)
{
	GUARDED(family(b)->DenseThreadRange(lo, hi, step));
}

void bench_fix_iterations(struct bench *b, int64_t n)
{
	GUARDED(family(b)->Iterations(n));
}

void bench_min_time(struct bench *b, double seconds)
{
	GUARDED(family(b)->MinTime(seconds));
}

void bench_min_warm_up_time(struct bench *b, double seconds)
{
	GUARDED(family(b)->MinWarmUpTime(seconds));
}

void bench_repetitions(struct bench *b, int n)
{
	GUARDED(family(b)->Repetitions(n));
}

void bench_report_aggregates_only(struct bench *b, bool only)
{
	GUARDED(family(b)->ReportAggregatesOnly(only));
}

void bench_display_aggregates_only(struct bench *b, bool only)
{
	GUARDED(family(b)->DisplayAggregatesOnly(only));
}

void bench_use_real_time(struct bench *b)
{
	GUARDED(family(b)->UseRealTime());
}

void bench_use_manual_time(struct bench *b)
{
	GUARDED(family(b)->UseManualTime());
}

void bench_measure_process_cpu_time(struct bench *b)
{
	GUARDED(family(b)->MeasureProcessCPUTime());
}

void bench_set_unit(struct bench *b, enum bench_unit unit)
{
	GUARDED(family(b)->Unit(unit_of(unit)));
}

void bench_complexity(struct bench *b, enum bench_big_o big_o)
{
	GUARDED(family(b)->Complexity(big_o_of(big_o)));
}

void bench_complexity_fn(struct bench *b, double (*fn)(int64_t n))
{
	GUARDED(family(b)->Complexity(fn));
}

void bench_add_context(const char *key, const char *value)
{
	GUARDED(benchmark::AddCustomContext(key, value));
}

int bench_main(int argc, char **argv)
{
	return bench_c::guarded(__func__, [&]() {
		benchmark::Initialize(&argc, argv);
		if (benchmark::ReportUnrecognizedArguments(argc, argv))
			return 2;
		benchmark::RunSpecifiedBenchmarks();
		benchmark::Shutdown();
		return 0;
	});
}
