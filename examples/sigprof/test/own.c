/* SPDX-License-Identifier: MIT */
/*
 * own: a program with a use of its own for SIGPROF. It must get what it sends itself, see the
 * dispositions that it set, and not be ended by the profiler's signals.
 * own jit: registers unwind tables (an empty one), as a compiler at run time does.
 */
#include "burn.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

extern void __register_frame(void *begin);

BURNER(in_own, 2000)

static volatile sig_atomic_t simple, detailed, odd;

static void on_simple(int signal)
{
	simple++;
	odd |= signal != SIGPROF;
}

static void on_detailed(int signal, siginfo_t *info, void *context)
{
	detailed++;
	odd |= signal != SIGPROF || info->si_code != SI_KERNEL || !context;
}

static void burn(double seconds)
{
	double begin = thread_seconds();
	static volatile unsigned int sink;

	while (thread_seconds() - begin < seconds)
		sink = in_own(sink);
}

int main(int argc, char **argv)
{
	static unsigned int empty_table[2];
	struct itimerval often = {{0, 10000}, {0, 10000}}, never = {{0, 0}, {0, 0}};
	struct sigaction action, old;
	(void)argv;

	if (argc > 1)
		__register_frame(empty_table);
	burn(0.2);

	if (signal(SIGPROF, on_simple) != SIG_DFL)
		return 1;
	raise(SIGPROF);
	burn(0.2);
	if (simple != 1)
		return 2;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_detailed;
	action.sa_flags = SA_SIGINFO | SA_RESTART;
	if (sigaction(SIGPROF, &action, &old) || old.sa_handler != on_simple)
		return 3;
	setitimer(ITIMER_PROF, &often, NULL);
	burn(0.3);
	setitimer(ITIMER_PROF, &never, NULL);
	if (detailed < 5 || simple != 1)
		return 4;

	if (sigaction(SIGPROF, NULL, &old) || old.sa_sigaction != on_detailed ||
	    !(old.sa_flags & SA_SIGINFO))
		return 5;
	if (signal(SIGPROF, SIG_DFL) == SIG_ERR)
		return 6;
	burn(0.1);
	printf("%d\n", (int)detailed);
	return odd ? 7 : 0;
}
