/* SPDX-License-Identifier: MIT */
/*
 * Threads of the library: all signals blocked, never a reader of any RCU flavour. Each works in rounds: look
 * for work (after bma__waker_look), do it, sleep until asked.
 *
 * Ordering: MO-20 (docs/memory-ordering.md).
 */
#ifndef BMA_BASE_THREAD_H
#define BMA_BASE_THREAD_H

#include "waker.h"

#include <pthread.h>

struct bma__thread {
	struct bma__waker waker;
	pthread_t handle;
	_Atomic bool running; /* changed under bma__thread_lock */
	_Atomic bool stopping;
	void (*wake)(struct bma__thread *t); /* NULL: it sleeps by its waker */
};

extern struct bma__lock bma__thread_lock;

/* Start @t, to run @main(@t), unless it runs. May sleep. Returns 0 or a negative errno. */
int bma__thread_start(struct bma__thread *t, const char *name, void *(*main)(void *));
/*
 * Stop and join @t if it runs. May sleep. Not joined under the lock: a thread in a read section may want that,
 * and the one that is joined may wait for it.
 */
void bma__thread_stop(struct bma__thread *t);
/* In a child of fork the thread is not there. */
void bma__thread_forget(struct bma__thread *t);

static inline bool bma__thread_running(struct bma__thread *t)
{
	return atomic_load_explicit(&t->running, memory_order_relaxed);
}

static inline bool bma__thread_stopping(struct bma__thread *t)
{
	return atomic_load_explicit(&t->stopping, memory_order_acquire);
}

#endif /* BMA_BASE_THREAD_H */
