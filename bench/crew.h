/* SPDX-License-Identifier: MIT */
/*
 * Threads that work for a given time, each bound to a CPU of its own. The thread that started them
 * is bound nowhere, and looks at the memory of the process meanwhile.
 */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** CREW_MAX - Most members of a crew. */
#define CREW_MAX 2
/** CREW_SAMPLE_MS - How often memory is looked at, unless that takes too long ... */
#define CREW_SAMPLE_MS 10
/** CREW_SAMPLE_REST - ... and then there are pauses of so many times what it took. */
#define CREW_SAMPLE_REST 50
/** CREW_POLL_MS - How often crew.poll is called. */
#define CREW_POLL_MS 50

/** struct crew_member - One thread. */
struct crew_member {
	/* Returns once crew_stopped() says true. */
	void (*work)(struct crew_member *self);
	void *arg;
	int index;
	/* Operations so far. Alone in its lines, for the one who measures reads it. */
	_Alignas(128) _Atomic uint64_t done;
};

/**
 * struct crew - What is to be run.
 *
 * @members, @n: the threads. @seconds: how long is measured, after a warm-up of a quarter of that.
 * @baseline: resident bytes that do not count. @poll: NULL, or called every %CREW_POLL_MS.
 */
struct crew {
	struct crew_member *members;
	size_t n;
	double seconds;
	size_t baseline;
	void (*poll)(void);
};

/**
 * struct crew_report - What was seen.
 *
 * @seconds: measured in fact. @done: operations of each member in that time; @cpus: CPUs that each
 * had.
 * @average, @peak: resident bytes over the baseline; the peak includes the warm-up.
 */
struct crew_report {
	double seconds;
	uint64_t done[CREW_MAX];
	double cpus[CREW_MAX];
	double average;
	double peak;
};

/** crew_seconds - Seconds of a run: what --benchmark_min_time says, or a half. */
double crew_seconds(void);
/** crew_read_time - Reads that from the command line. In main(). */
void crew_read_time(int argc, char **argv);

/** crew_run - Run a crew from start to end, in the calling thread, which must be bound nowhere. */
void crew_run(const struct crew *crew, struct crew_report *report);

extern _Atomic bool crew_stop_flag;

/** crew_stopped - Members: is it time to return? */
static inline bool crew_stopped(void)
{
	return atomic_load_explicit(&crew_stop_flag, memory_order_relaxed);
}

/** crew_count - Members: so many operations have been done. */
static inline void crew_count(struct crew_member *self, uint64_t done)
{
	atomic_store_explicit(&self->done, done, memory_order_relaxed);
}

/** crew_relax - In a loop that waits for another thread. */
static inline void crew_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ __volatile__("" : : : "memory");
#endif
}

#endif /* BENCH_CREW_H */
