/* SPDX-License-Identifier: MIT */
/*
 * What the C++ half of bench_c.h shares. The two structs are never defined; a pointer to one is the
 * pointer to Google Benchmark's object. Each call is guarded, for an exception must not unwind the
 * C frames that called it.
 */
#ifndef BENCH_C_GUARD_H
#define BENCH_C_GUARD_H

#include "bench_c.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace bench_c
{

[[noreturn]] inline void die(const char *call, const char *what)
{
	std::fprintf(stderr, "bench: %s: %s\n", call, what);
	std::_Exit(1);
}

template <class Call> inline auto guarded(const char *name, Call call) noexcept -> decltype(call())
{
	try {
		return call();
	} catch (const std::exception &e) {
		die(name, e.what());
	} catch (...) {
		die(name, "an exception of unknown type");
	}
}

} // namespace bench_c

/* What is configured of a family or told a state returns nothing. */
#define GUARDED(...) bench_c::guarded(__func__, [&]() { __VA_ARGS__; })
#define GUARDED_VALUE(...) bench_c::guarded(__func__, [&]() { return __VA_ARGS__; })

#endif /* BENCH_C_GUARD_H */
