/* SPDX-License-Identifier: MIT */
/* Threads of the library, see thread.h. */
#include "base.h"

#include <signal.h>

struct bma__lock bma__thread_lock = BMA__LOCK_INIT(BMA__RANK_THREAD);

/* Signals are blocked before the start: a new thread inherits the mask, so there is no window. */
static int create(struct bma__thread *t, const char *name, void *(*main)(void *))
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = bma__os.thread_create(main, t, &t->handle);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!rc)
		pthread_setname_np(t->handle, name);
	return rc;
}

int bma__thread_start(struct bma__thread *t, const char *name, void *(*main)(void *))
{
	int rc = 0;

	if (bma__thread_running(t))
		return 0;
	bma__lock_take(&bma__thread_lock);
	if (!bma__thread_running(t)) {
		rc = create(t, name, main);
		atomic_store_explicit(&t->running, !rc, memory_order_relaxed);
		bma__waker_ask(&t->waker); /* for who found it not running meanwhile */
	}
	bma__lock_drop(&bma__thread_lock);
	return rc;
}

void bma__thread_stop(struct bma__thread *t)
{
	bool mine;

	bma__lock_take(&bma__thread_lock);
	mine = bma__thread_running(t) &&
	       !atomic_exchange_explicit(&t->stopping, true, memory_order_release);
	bma__lock_drop(&bma__thread_lock);
	if (!mine)
		return;
	if (t->wake)
		t->wake(t);
	else
		bma__waker_ask(&t->waker);
	pthread_join(t->handle, NULL);
	bma__lock_take(&bma__thread_lock);
	atomic_store_explicit(&t->running, false, memory_order_relaxed);
	atomic_store_explicit(&t->stopping, false, memory_order_relaxed);
	bma__lock_drop(&bma__thread_lock);
}

void bma__thread_forget(struct bma__thread *t)
{
	atomic_store_explicit(&t->running, false, memory_order_relaxed);
	atomic_store_explicit(&t->stopping, false, memory_order_relaxed);
	atomic_store_explicit(&t->waker.word, BMA__WAKER_IDLE, memory_order_relaxed);
}
