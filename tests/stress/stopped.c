/* SPDX-License-Identifier: MIT */
/*
 * Threads are stopped in the middle of a call: a signal's handler does not return before the test
 * says so, or sleeps for up to 50 ms.
 *
 * Property: any-context calls of others go on whoever is stopped, for any time, in whatever call,
 * also in one that may sleep and holds a lock: each of them ends its next 500 operations while the
 * stopped ones stay stopped, and with 20 ms on a CPU ends at least one. Afterwards nothing is
 * stranded: everything comes home.
 * It breaks if an any-context call waits for another thread: for a lock, for a frozen slot, for the
 * owner of a guest, for a magazine in hand.
 * With the word process a process of its own is stopped as a whole and continued; it shares nothing
 * with the test and has to end well.
 *
 * Words: guest, process, batch=N.
 */
#include "crew.h"

#include <sys/wait.h>

#define WORKERS 4 /* the one after them may sleep */
#define STEPS 500
#define WINDOW_NS 20000000
#define STOP_US 50000
#define HUNG_SECONDS 20

static _Atomic long ops[WORKERS + 1];
static _Atomic int held[WORKERS + 1], caught[WORKERS + 1];
static _Thread_local uintptr_t me;

static void handler(int sig)
{
	int saved = errno;

	(void)sig;
	caught[me] = 1;
	while (held[me])
		usleep(200);
	caught[me] = 0;
	errno = saved;
}

static void *thread(void *arg)
{
	uint64_t rng = crew_seed((uintptr_t)arg);

	me = (uintptr_t)arg;
	test_pin((unsigned int)me);
	while (!atomic_load_explicit(&crew.stop, memory_order_relaxed)) {
		uint64_t r = test_random(&rng);

		if (me < WORKERS) {
			crew_step(&rng, 0);
			if (!(r & 1023))
				crew_burst(&rng, 0);
		} else if (r & 15) {
			crew_burst(&rng, BMA_SLEEP);
		} else if (r & 16) {
			MUST(!bma_trim(), "trim");
		} else if (r & 32) {
			MUST(!bma_rcu_barrier(crew.cache), "barrier");
		} else {
			MUST(bma_poll(0) >= 0, "poll");
		}
		atomic_fetch_add_explicit(&ops[me], 1, memory_order_relaxed);
	}
	return NULL;
}

static uint64_t cpu_ns(pthread_t t)
{
	struct timespec ts = {0, 0};
	clockid_t clock;

	MUST(!pthread_getcpuclockid(t, &clock) && !clock_gettime(clock, &ts), "CPU clock");
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* What the others did since the last look. */
struct window {
	long from, ops;
	uint64_t cpu;
};

/* Waits until worker @i has gone far enough, @until at least; it is not stopped. */
static void watch(struct window *w, uintptr_t i, pthread_t t, double until)
{
	double hung = test_seconds() + HUNG_SECONDS;

	while (ops[i] < w[i].from + STEPS || test_seconds() < until) {
		uint64_t cpu = cpu_ns(t);
		long now = ops[i];

		if (cpu - w[i].cpu >= WINDOW_NS) {
			MUST(now > w[i].ops, "thread %lu did nothing with %llu us of a CPU",
			     (unsigned long)i, (unsigned long long)(cpu - w[i].cpu) / 1000);
			w[i].cpu = cpu;
			w[i].ops = now;
		}
		MUST(test_seconds() < hung, "thread %lu waits: %ld operations in %d seconds",
		     (unsigned long)i, now - w[i].from, HUNG_SECONDS);
		usleep(500);
	}
}

/* Stops the threads of @set, sees that the others go on, lets them go. Returns how many went on. */
static long round_of(const pthread_t *t, unsigned int set, double seconds)
{
	double until;
	struct window w[WORKERS];
	long others = 0;

	for (uintptr_t i = 0; i <= WORKERS; i++) {
		if (!(set >> i & 1))
			continue;
		held[i] = 1;
		MUST(!pthread_kill(t[i], SIGUSR2), "kill");
		while (!caught[i])
			usleep(50);
	}
	until = test_seconds() + seconds;
	for (uintptr_t i = 0; i < WORKERS; i++)
		w[i] = (struct window){ops[i], ops[i], cpu_ns(t[i])};
	for (uintptr_t i = 0; i < WORKERS; i++) {
		if (set >> i & 1)
			continue;
		watch(w, i, t[i], until);
		others++;
	}
	for (uintptr_t i = 0; i <= WORKERS; i++)
		held[i] = 0;
	for (uintptr_t i = 0; i <= WORKERS; i++) {
		while (caught[i])
			usleep(50);
	}
	return others;
}

static void stop_threads(double end)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	uint64_t rng = crew_seed(CREW_MAX);
	pthread_t t[WORKERS + 1];
	long rounds = 0, others = 0, sum = 0;

	crew_create("stopped");
	sigaction(SIGUSR2, &sa, NULL);
	crew_start(t, WORKERS + 1, thread);
	/* Before that a thread does not know which it is. */
	for (int i = 0; i <= WORKERS; i++) {
		while (!ops[i])
			usleep(100);
	}
	for (; test_seconds() < end; rounds++) {
		uint64_t r = test_random(&rng);
		/* Not all of them: one of the workers at least is looked at. */
		unsigned int set = (unsigned int)(r % ((1u << WORKERS) - 1));

		/* One round in eight is long. */
		others += round_of(
			t, set | (unsigned int)(r >> 32 & 1) << WORKERS,
			r >> 40 & 7 ? 0 : (double)(r >> 44 & 0xffff) / 0xffff * STOP_US / 1e6);
		usleep((unsigned int)(r >> 50 & 1023));
	}
	crew_join(t, WORKERS + 1);
	for (int i = 0; i <= WORKERS; i++)
		sum += ops[i];
	printf("rounds %ld others seen to go on %ld operations %ld\n", rounds, others, sum);
	crew_end();
}

/* The process that is stopped. */
static void whole(double seconds)
{
	double end = test_seconds() + seconds;
	pthread_t t[WORKERS + 1];

	crew_create("whole");
	crew_start(t, WORKERS + 1, thread);
	while (test_seconds() < end)
		usleep(10000);
	crew_join(t, WORKERS + 1);
	crew_end();
	fflush(stdout);
	_exit(0);
}

static void stop_process(double seconds)
{
	uint64_t rng = crew_seed(CREW_MAX);
	double end = test_seconds() + seconds;
	int status = 0;
	long stops = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	MUST(pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		alarm((unsigned int)seconds + 100);
		whole(seconds);
	}
	for (; test_seconds() < end && !waitpid(pid, &status, WNOHANG); stops++) {
		kill(pid, SIGSTOP);
		usleep((unsigned int)(test_random(&rng) >> 33) % STOP_US);
		kill(pid, SIGCONT);
		usleep((unsigned int)(test_random(&rng) >> 33) % STOP_US);
	}
	if (test_seconds() >= end)
		MUST(waitpid(pid, &status, 0) == pid, "wait: %s", strerror(errno));
	MUST(WIFEXITED(status) && !WEXITSTATUS(status), "the process: status %x", status);
	printf("stops %ld\n", stops);
	MUST(stops > 1, "never stopped");
}

int main(int argc, char **argv)
{
	double seconds = crew_args(argc, argv, 2);

	if (crew_word("process"))
		stop_process(seconds);
	else
		stop_threads(test_seconds() + seconds);
	return 0;
}
