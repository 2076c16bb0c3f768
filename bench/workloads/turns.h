/* SPDX-License-Identifier: MIT */
/*
 * Loops that are compared with one another in one process: each takes its turn again and again, in an order that rotates, and what
 * counts is the median of its turns, so that what interrupts one of them counts for nothing.
 */
#ifndef BENCH_WORKLOADS_TURNS_H
#define BENCH_WORKLOADS_TURNS_H

#include "crew.h"
#include "workloads/workload.h"

#define TURNS_MAX 4096
/* At most. */
#define TURNS_LOOPS 8
/* Before they count: peers that adapt have done so by then. */
#define TURNS_WARM_UP 16

/** struct turns - What each loop took, in ticks. */
struct turns {
	uint64_t ticks[TURNS_LOOPS][TURNS_MAX];
	size_t n;
};

static inline int turns_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/** turns_least - What two readings of the counter take at least, in ticks. */
static inline uint64_t turns_least(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t t = host_tick_begin();

		t = host_tick_end() - t;
		least = t < least ? t : least;
	}
	return least;
}

/** turns_run - Let @loops take turns, each called with @arg and returning its ticks, as long as the command line says. */
static inline void turns_run(struct turns *t, uint64_t (*const *loops)(void *arg), size_t n,
			     void *arg)
{
	double until;

	for (size_t i = 0; i < TURNS_WARM_UP * n; i++)
		loops[i % n](arg);
	t->n = 0;
	until = host_seconds() + crew_seconds();
	do {
		for (size_t i = 0; i < n; i++) {
			size_t loop = (i + t->n) % n;

			t->ticks[loop][t->n] = loops[loop](arg);
		}
		t->n++;
	} while (t->n < TURNS_MAX && host_seconds() < until);
}

/** turns_ns - Nanoseconds of one of the @calls that the turns of a loop consist of; sorts them. */
static inline double turns_ns(struct turns *t, size_t loop, double calls)
{
	uint64_t middle, least = turns_least();

	qsort(t->ticks[loop], t->n, sizeof(t->ticks[loop][0]), turns_compare);
	middle = t->ticks[loop][t->n / 2];
	return (double)(middle > least ? middle - least : 0) * host_tick_ns() / calls;
}

#endif /* BENCH_WORKLOADS_TURNS_H */
