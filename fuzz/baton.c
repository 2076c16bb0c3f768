/* SPDX-License-Identifier: MIT */
/* Threads with a baton, see baton.h. */
#include "baton.h"

#include <bma/fuzz.h>

#include <pthread.h>
#include <semaphore.h>
#include <urcu/urcu-memb.h>

#include "fuzz.h"

static struct runner {
	pthread_t handle;
	sem_t turn, done;
	void (*call)(void *arg); /* NULL: end */
	void *arg;
	bool there;
} runners[BATON_THREADS];

static _Thread_local unsigned int self;

bool baton_native(void)
{
	static int native = -1;

	if (native < 0)
		native = getenv("BMA_FUZZ_NATIVE") != NULL;
	return native;
}

unsigned int baton_self(void)
{
	return self;
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

static void begin(unsigned int thread)
{
	self = thread;
	urcu_memb_register_thread();
	if (!baton_native())
		FUZZ_CHECK(!bma_fuzz_set_slot(thread), "no slot");
}

static void *runner_main(void *arg)
{
	struct runner *r = arg;

	begin((unsigned int)(r - runners));
	for (;;) {
		wait_for(&r->turn);
		if (!r->call)
			break;
		r->call(r->arg);
		sem_post(&r->done);
	}
	urcu_memb_unregister_thread();
	return NULL;
}

static void hand_over(struct runner *r, void (*call)(void *arg), void *arg)
{
	r->call = call;
	r->arg = arg;
	sem_post(&r->turn);
}

void baton_run(unsigned int thread, void (*call)(void *arg), void *arg)
{
	struct runner *r = &runners[thread];

	if (!r->there) {
		FUZZ_CHECK(!sem_init(&r->turn, 0, 0) && !sem_init(&r->done, 0, 0), "sem_init");
		FUZZ_CHECK(!pthread_create(&r->handle, NULL, runner_main, r), "no thread");
		r->there = true;
	}
	hand_over(r, call, arg);
	wait_for(&r->done);
}

bool baton_exit(unsigned int thread)
{
	struct runner *r = &runners[thread];

	if (!r->there)
		return false;
	hand_over(r, NULL, NULL);
	pthread_join(r->handle, NULL);
	sem_destroy(&r->turn);
	sem_destroy(&r->done);
	r->there = false;
	return true;
}
