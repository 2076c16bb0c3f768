/* SPDX-License-Identifier: MIT */
/* No handlers for a while, see signals.h. */
#include "base.h"

#include <signal.h>

void bma__signals_block(sigset_t *was)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigdelset(&all, faults[i]);
	/* Besides what is blocked: the caller may wait for a fault's signal in his own way. */
	pthread_sigmask(SIG_BLOCK, &all, was);
}

void bma__signals_restore(const sigset_t *was)
{
	pthread_sigmask(SIG_SETMASK, was, NULL);
}
