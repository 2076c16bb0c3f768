/* SPDX-License-Identifier: MIT */
/*
 * Replays recorded programs: one row for each trace of folder.h. Once per process, as the program ran: the first pass is what
 * the program would have seen, page faults included; in the passes after it the heap has its memory.
 *
 * Each peer finds as much memory touched before as it needs: a virtual machine's host gives memory on
 * the first touch ever, which is no peer's doing.
 */
#include "workloads/workload.h"

#include "trace/folder.h"
#include "trace/heap.h"

#ifdef HEAP_THERE
#include "trace/peak.h"
#include "trace/replay.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Passes after the first. */
#define AGAIN 3

static int cpu_of[TRACE_THREADS_MAX];

struct pass {
	double wall;
	double cpu; /* of the process */
};

static void load(struct schedule *plan, const char *name)
{
	struct trace trace;

	trace_load(&trace, name);
	schedule_make(plan, &trace);
	trace_drop(&trace);
}

/* The thread that has most to do first: each to the CPU that has least. */
static void choose_cpus(const struct schedule *plan)
{
	int cpus = host_cpus();
	size_t *load = trace_map((size_t)cpus * sizeof(load[0]));
	bool *chosen = trace_map(plan->n);

	for (unsigned int i = 0; i < plan->n; i++) {
		unsigned int most = plan->n;
		int least = 0;

		for (unsigned int thread = 0; thread < plan->n; thread++) {
			if (!chosen[thread] &&
			    (most == plan->n || plan->threads[thread].n > plan->threads[most].n))
				most = thread;
		}
		for (int cpu = 1; cpu < cpus; cpu++) {
			if (load[cpu] < load[least])
				least = cpu;
		}
		chosen[most] = true;
		cpu_of[most] = least;
		load[least] += plan->threads[most].n;
	}
	trace_unmap(load, (size_t)cpus * sizeof(load[0]));
	trace_unmap(chosen, plan->n);
}

static void pin(unsigned int thread)
{
	host_pin(cpu_of[thread]);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct pass run(struct replay *r)
{
	struct pass p = {.wall = -host_seconds(), .cpu = -cpu_seconds()};

	replay_run(r);
	p.wall += host_seconds();
	p.cpu += cpu_seconds();
	return p;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(values[0]), compare);
	return values[n / 2];
}

static void again(struct bench_state *st, struct replay *r, double events)
{
	double wall[AGAIN], cpu[AGAIN];

	for (int i = 0; i < AGAIN; i++) {
		struct pass p;

		replay_clear(r);
		p = run(r);
		wall[i] = p.wall;
		cpu[i] = p.cpu;
	}
	bench_set_counter(st, "again_ns", median(cpu, AGAIN) * 1e9 / events, 0);
	bench_set_counter(st, "again_per_second", events / median(wall, AGAIN), 0);
}

static double kib(size_t bytes, size_t less)
{
	return bytes > less ? (double)(bytes - less) / 1024 : 0;
}

static void trace(struct bench_state *st, void *arg)
{
	size_t before, after, peak;
	struct schedule plan;
	struct replay replay;
	struct pass first;
	double events;

	load(&plan, arg);
	events = (double)plan.events;
	replay_init(&replay, &plan);
	replay.enter = pin;
	choose_cpus(&plan);
	host_touch(plan.bytes_peak + plan.bytes_peak / 2, false);
	before = host_resident();
	peak_reset();
	while (bench_keep_running(st)) {
		/* Helper threads of the peer are to be bound nowhere. */
		host_unpin();
		heap_init(&plan);
		pin(0);
		first = run(&replay);
		after = host_resident();
		peak = peak_bytes();
		if (after > peak)
			peak = after;
		bench_set_iteration_time(st, first.wall);
		bench_set_counter(st, "first_ns", first.cpu * 1e9 / events, 0);
		bench_set_counter(st, "first_per_second", events / first.wall, 0);
		bench_set_counter(st, "peak_kib", kib(peak, before), 0);
		bench_set_counter(st, "end_kib", kib(after, before), 0);
		again(st, &replay, events);
	}
	bench_set_items_processed(st, (int64_t)plan.events);
	bench_set_counter(st, "asked_kib", kib(plan.bytes_peak, 0), 0);
	bench_set_counter(st, "events", events, 0);
	bench_set_counter(st, "left_out", (double)plan.left_out, 0);
	bench_set_counter(st, "trace_threads", (double)plan.n, 0);
}

static void add(char *name)
{
	char row[NAME_MAX + 16];
	struct bench *b;

	snprintf(row, sizeof(row), "trace/%s", name);
	b = bench_register(row, trace, name);
	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
	bench_set_unit(b, BENCH_MILLISECOND);
}

void trace_register(void)
{
	char *names[TRACE_NAMES_MAX];
	size_t n = trace_names(names);

	for (size_t i = 0; i < n; i++)
		add(names[i]);
}
#else
/* Not a peer for objects of any size. */
void trace_register(void)
{
}
#endif
