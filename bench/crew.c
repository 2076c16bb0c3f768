/* SPDX-License-Identifier: MIT */
#include "crew.h"
#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Atomic bool crew_stop_flag;
static double seconds = 0.5;

/* What was seen, the average since it was last cleared; and when crew.poll is due. */
struct samples {
	double sum;
	double n;
	double peak;
	double poll_at;
};

double crew_seconds(void)
{
	return seconds;
}

void crew_read_time(int argc, char **argv)
{
	static const char key[] = "--benchmark_min_time=";

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], key, sizeof(key) - 1))
			seconds = strtod(argv[i] + sizeof(key) - 1, NULL);
	}
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *begin(void *arg)
{
	struct crew_member *self = arg;

	host_pin(self->index);
	self->work(self);
	return NULL;
}

static void nap(double length)
{
	struct timespec t = {.tv_sec = (time_t)length};

	t.tv_nsec = (long)((length - (double)t.tv_sec) * 1e9);
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* Returns what it took: the more is resident, the longer. */
static double sample(const struct crew *crew, struct samples *s)
{
	double start = host_seconds();
	double over = (double)host_resident() - (double)crew->baseline;

	s->sum += over;
	s->n++;
	if (over > s->peak)
		s->peak = over;
	return host_seconds() - start;
}

static void watch(const struct crew *crew, double until, struct samples *s)
{
	double took;

	do {
		took = sample(crew, s);
		nap(took * CREW_SAMPLE_REST < CREW_SAMPLE_MS * 1e-3 ? CREW_SAMPLE_MS * 1e-3
								    : took * CREW_SAMPLE_REST);
		if (crew->poll && host_seconds() >= s->poll_at) {
			crew->poll();
			s->poll_at += CREW_POLL_MS * 1e-3;
		}
	} while (host_seconds() < until);
}

static double cpu_seconds(pthread_t thread)
{
	struct timespec t;
	clockid_t clock;

	if (pthread_getcpuclockid(thread, &clock) || clock_gettime(clock, &t))
		die("bench: CPU time of a thread");
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void crew_run(const struct crew *crew, struct crew_report *report)
{
	pthread_t threads[CREW_MAX];
	struct samples s = {.poll_at = host_seconds() + CREW_POLL_MS * 1e-3};
	double start;

	atomic_store(&crew_stop_flag, false);
	for (size_t i = 0; i < crew->n; i++) {
		crew->members[i].index = (int)i;
		atomic_store(&crew->members[i].done, 0);
		if (pthread_create(&threads[i], NULL, begin, &crew->members[i]))
			die("bench: pthread_create");
	}
	watch(crew, host_seconds() + crew->seconds / 4, &s);
	s.sum = s.n = 0;
	start = host_seconds();
	for (size_t i = 0; i < crew->n; i++) {
		report->done[i] = atomic_load(&crew->members[i].done);
		report->cpus[i] = cpu_seconds(threads[i]);
	}
	watch(crew, start + crew->seconds, &s);
	report->seconds = host_seconds() - start;
	for (size_t i = 0; i < crew->n; i++) {
		report->done[i] = atomic_load(&crew->members[i].done) - report->done[i];
		report->cpus[i] = (cpu_seconds(threads[i]) - report->cpus[i]) / report->seconds;
	}
	report->average = s.sum / s.n;
	report->peak = s.peak;
	atomic_store(&crew_stop_flag, true);
	for (size_t i = 0; i < crew->n; i++)
		pthread_join(threads[i], NULL);
}
