/* SPDX-License-Identifier: MIT */
/*
 * Who creates threads: pthread_create() is interposed, so that the new thread is introduced by its
 * creator, at the right place. Threads that come to be in another way introduce themselves.
 */
#include "record.h"

#include <bma/bma.h>
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

typedef int creator(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
		    void *arg);

struct launch {
	void *(*start)(void *);
	void *arg;
	uint32_t number;
};

static struct bma_cache *launches;

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

bool record_thread_start(void)
{
	struct bma_cache_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.attr_size = sizeof(attr);
	attr.name = "trace-threads";
	attr.size = sizeof(struct launch);
	launches = bma_cache_create(&attr);
	return launches != NULL;
}

static void *enter(void *arg)
{
	struct launch launch = *(struct launch *)arg;

	bma_cache_free(launches, arg);
	record_self.number = launch.number;
	return launch.start(launch.arg);
}

RECORD_INTERPOSED int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
				     void *(*start)(void *), void *arg)
{
	bool inside = record_self.inside;
	struct launch *launch;
	uint32_t order;
	int error;

	/* What the C library allocates for a thread, it allocates in a replay, too. */
	record_self.inside = true;
	launch = !inside && record_active() ? bma_cache_alloc_flags(launches, BMA_SLEEP) : NULL;
	if (!launch) {
		error = real_creator()(thread, attr, start, arg);
	} else {
		launch->start = start;
		launch->arg = arg;
		launch->number = record_thread_number();
		record_event(TRACE_THREAD, launch->number - 1, 0, 0, &order);
		error = real_creator()(thread, attr, enter, launch);
		if (error)
			bma_cache_free(launches, launch);
	}
	record_self.inside = inside;
	return error;
}

/* What BMA makes threads by (ld --wrap): its own are not the program's. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *arg)
{
	return real_creator()(thread, attr, start, arg);
}
