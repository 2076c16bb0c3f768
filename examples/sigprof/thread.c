/* SPDX-License-Identifier: MIT */
/*
 * A timer for each thread, so that each is sampled in proportion to the time it uses and in its
 * own context. pthread_create() is interposed: the new thread makes its timer before it enters
 * what it was made for, and a thread-specific value deletes the timer, however the thread ends.
 *
 * The clock is the thread's CPU time, or with "wall" the time of day's. The kernel looks at CPU
 * clocks on its tick only (250 times a second on Debian), so at higher rates a signal stands for
 * several expiries, which it counts; but it leaves sleeping threads alone. The other clock fires
 * exactly, also in threads that sleep: it shows where they wait, and cuts their sleeps short.
 */
#include "sigprof.h"

#include <bma/bma.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

typedef int creator(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
		    void *arg);

struct launch {
	void *(*start)(void *);
	void *arg;
};

static struct bma_cache *launches;
static pthread_key_t timer_key;
static struct itimerspec period;
static clockid_t timer_clock;

static creator *real_creator(void)
{
	static _Atomic(creator *) real;
	creator *found = atomic_load_explicit(&real, memory_order_relaxed);

	if (!found) {
		*(void **)&found = dlsym(RTLD_NEXT, "pthread_create");
		atomic_store_explicit(&real, found, memory_order_relaxed);
	}
	return found;
}

/* The value is the timer's number plus 1: the kernel counts from 0. */
static void delete_timer(void *value)
{
	timer_delete((timer_t)((uintptr_t)value - 1));
}

bool sigprof_thread_init(long rate, bool wall)
{
	struct bma_cache_attr attr;

	period.it_interval.tv_sec = rate == 1;
	period.it_interval.tv_nsec = rate == 1 ? 0 : 1000000000L / rate;
	period.it_value = period.it_interval;
	timer_clock = wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
	if (pthread_key_create(&timer_key, delete_timer))
		return false;
	memset(&attr, 0, sizeof(attr));
	attr.attr_size = sizeof(attr);
	attr.name = "sigprof-threads";
	attr.size = sizeof(struct launch);
	launches = bma_cache_create(&attr);
	return launches != NULL;
}

/* For the calling thread, which has none. */
bool sigprof_thread_start(void)
{
	struct sigevent event;
	timer_t timer;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGPROF;
	event.sigev_value.sival_ptr = &sigprof_counts;
	event.sigev_notify_thread_id = gettid();
	if (timer_create(timer_clock, &event, &timer)) {
		atomic_fetch_add(&sigprof_counts.unsampled, 1);
		return false;
	}
	if (pthread_setspecific(timer_key, (void *)((uintptr_t)timer + 1)) ||
	    timer_settime(timer, 0, &period, NULL)) {
		pthread_setspecific(timer_key, NULL);
		timer_delete(timer);
		atomic_fetch_add(&sigprof_counts.unsampled, 1);
		return false;
	}
	return true;
}

static void *enter(void *arg)
{
	struct launch launch = *(struct launch *)arg;
	sigset_t ours;

	bma_cache_free(launches, arg);
	/* Programs block all signals in threads that are not to be bothered with handling theirs.
	 */
	sigemptyset(&ours);
	sigaddset(&ours, SIGPROF);
	pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
	sigprof_thread_start();
	return launch.start(launch.arg);
}

SIGPROF_INTERPOSED int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
				      void *(*start)(void *), void *arg)
{
	creator *real = real_creator();
	struct launch *launch;
	int error;

	if (!launches)
		return real(thread, attr, start, arg);
	launch = bma_cache_alloc_flags(launches, BMA_SLEEP);
	if (!launch) {
		atomic_fetch_add(&sigprof_counts.unsampled, 1);
		return real(thread, attr, start, arg);
	}
	launch->start = start;
	launch->arg = arg;
	error = real(thread, attr, enter, launch);
	if (error)
		bma_cache_free(launches, launch);
	return error;
}

/* What BMA makes threads by (ld --wrap): its own are not sampled, and must not come back here. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *arg)
{
	return real_creator()(thread, attr, start, arg);
}
