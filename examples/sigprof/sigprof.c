/* SPDX-License-Identifier: MIT */
/*
 * sigprof: an in-process sampling profiler, preloaded into any program.
 *
 *     sigprof [-r HZ] [-c cpu|wall] [-o FILE] command...
 *
 * It teaches what BMA is for: the SIGPROF handler allocates. A sample is a stack; each stack that
 * is new needs a record, at once, in a handler that may have interrupted malloc, the loader, or
 * this very allocator (record.c). A handler that can only use memory of its own would have to
 * bound the number of stacks beforehand, or write every sample out.
 *
 * At the end of the process it writes FILE.folded, a line per stack for flame graphs
 * ("main;parse;read_line 123"), and FILE.top, the 20 functions that used most time. Expiries of the
 * timer that brought no sample are counted there with their cause; none is lost silently. Children
 * write FILE.<pid>.folded and so on.
 *
 * Not seen: threads made by clone() or thrd_create(), and a program that ends by a signal or turns
 * into another by exec.
 */
#include "sigprof.h"

#include <bma/bma.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RATE_MAX 20000

struct sigprof_counts sigprof_counts;

static struct sigprof_setup setup;
static char path[PATH_MAX];
static atomic_bool sampling;
static const char *wanted_path;
static pid_t first_process;
/* The process whose stacks the table holds; a child of vfork is another and must not write. */
static pid_t owner;

bool sigprof_active(void)
{
	return owner != 0;
}

static void count(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static void handle(int signal, siginfo_t *info, void *context)
{
	uintptr_t pcs[SIGPROF_DEPTH];
	uint64_t weight = 1;
	size_t depth;
	int saved;

	if (info->si_code != SI_TIMER || info->si_value.sival_ptr != &sigprof_counts) {
		sigprof_signal_pass_on(signal, info, context);
		return;
	}
	if (!atomic_load_explicit(&sampling, memory_order_relaxed))
		return;
	saved = errno;
	if (info->si_overrun > 0) {
		weight += (uint64_t)info->si_overrun;
		count(&sigprof_counts.merged, weight - 1);
	}
	depth = sigprof_unwind(context, pcs, SIGPROF_DEPTH);
	if (sigprof_record_add(pcs, depth, weight))
		count(&sigprof_counts.kept, weight);
	else
		count(&sigprof_counts.lost, weight);
	errno = saved;
}

/* The first process of a run writes the file that was asked for, others add their number. */
static void name_output(void)
{
	if (owner == first_process)
		snprintf(path, sizeof(path), "%s", wanted_path);
	else
		snprintf(path, sizeof(path), "%s.%d", wanted_path, (int)owner);
}

static void in_child(void)
{
	if (!owner)
		return;
	memset(&sigprof_counts, 0, sizeof(sigprof_counts));
	owner = sigprof_record_init() ? getpid() : 0;
	if (!owner)
		return;
	name_output();
	atomic_store(&sampling, true);
	sigprof_thread_start();
}

static void finish(bool may_sleep)
{
	if (!owner || getpid() != owner || !atomic_exchange(&sampling, false))
		return;
	/* Shells fork for every command: what used no time leaves no file. */
	if (owner == first_process || atomic_load(&sigprof_counts.kept) ||
	    atomic_load(&sigprof_counts.lost))
		sigprof_report(&setup, may_sleep);
}

__attribute__((destructor)) static void end(void)
{
	finish(true);
}

/* Not every program returns from main: shells leave by _exit(), and so may signal handlers. */
SIGPROF_INTERPOSED __attribute__((noreturn)) void _exit(int status)
{
	finish(false);
	for (;;)
		syscall(SYS_exit_group, status);
}

SIGPROF_INTERPOSED __attribute__((noreturn)) void _Exit(int status)
{
	_exit(status);
}

__attribute__((constructor)) static void begin(void)
{
	const char *rate = getenv("SIGPROF_RATE"), *clock = getenv("SIGPROF_CLOCK");
	const char *first = getenv("SIGPROF_PID");

	/* Kept by name: what getenv() gave may move when the program changes its environment. */
	wanted_path = getenv("SIGPROF_OUT") ? strdup(getenv("SIGPROF_OUT")) : "sigprof";
	first_process = first ? (pid_t)strtol(first, NULL, 10) : 0;
	if (!wanted_path)
		return;
	setup.path = path;
	setup.rate = rate ? strtol(rate, NULL, 10) : 1000;
	setup.wall = clock && !strcmp(clock, "wall");
	if (setup.rate < 1 || setup.rate > RATE_MAX) {
		fprintf(stderr, "sigprof: SIGPROF_RATE is to be 1 to %d\n", RATE_MAX);
		return;
	}
	if (!sigprof_record_init() || !sigprof_thread_init(setup.rate, setup.wall)) {
		fprintf(stderr, "sigprof: no memory; %d is not profiled\n", (int)getpid());
		return;
	}
	sigprof_unwind_init();
	if (!sigprof_signal_init(handle) || pthread_atfork(NULL, NULL, in_child) ||
	    at_quick_exit(end)) {
		perror("sigprof");
		return;
	}
	owner = getpid();
	name_output();
	atomic_store(&sampling, true);
	sigprof_thread_start();
}
