/* SPDX-License-Identifier: MIT */
/* Threads of the library, see thread.h. */
#include "base.h"

#include <signal.h>

int bma__thread_start(pthread_t *thread, const char *name, void *(*main)(void *), void *arg)
{
	sigset_t all, old;
	int rc;

	/* Blocked before the start: a new thread inherits the mask, so there is no window. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = bma__os.thread_create(main, arg, thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!rc)
		pthread_setname_np(*thread, name);
	return rc;
}
