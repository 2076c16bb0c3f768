/* SPDX-License-Identifier: MIT */
/*
 * SIGPROF is the profiler's. Programs that catch whatever could end them (sort does) would take
 * it, and die of the first sample; so sigaction() and signal() are interposed for this one signal.
 * They remember what the program wants, and a SIGPROF that is not of our timers goes there; where
 * the program left it to its default, it is ignored. Both calls are legal in a handler: no lock.
 */
#include "sigprof.h"

#include <dlfcn.h>
#include <string.h>

typedef int setter(int signal, const struct sigaction *new, struct sigaction *old);
typedef void handler(int signal);
typedef handler *simple_setter(int signal, handler *new);

/* What the program asked for. Read apart: a signal may meet the one without the other. */
static _Atomic(handler *) wanted;
static atomic_int wanted_flags;

static int set(int signal, const struct sigaction *new, struct sigaction *old)
{
	static _Atomic(setter *) real;
	setter *found = atomic_load_explicit(&real, memory_order_relaxed);

	if (!found) {
		*(void **)&found = dlsym(RTLD_NEXT, "sigaction");
		atomic_store_explicit(&real, found, memory_order_relaxed);
	}
	return found(signal, new, old);
}

SIGPROF_INTERPOSED int sigaction(int signal, const struct sigaction *restrict new,
				 struct sigaction *restrict old)
{
	handler *before;
	int flags;

	if (signal != SIGPROF || !sigprof_active())
		return set(signal, new, old);
	before = atomic_load(&wanted);
	flags = atomic_load(&wanted_flags);
	if (new) {
		atomic_store(&wanted_flags, new->sa_flags);
		atomic_store(&wanted, new->sa_handler);
	}
	if (old) {
		memset(old, 0, sizeof(*old));
		old->sa_handler = before;
		old->sa_flags = flags;
	}
	return 0;
}

SIGPROF_INTERPOSED handler *signal(int signal, handler *new)
{
	simple_setter *real;

	if (signal == SIGPROF && sigprof_active()) {
		atomic_store(&wanted_flags, SA_RESTART);
		return atomic_exchange(&wanted, new);
	}
	*(void **)&real = dlsym(RTLD_NEXT, "signal");
	return real(signal, new);
}

bool sigprof_signal_init(void (*handle)(int signal, siginfo_t *info, void *context))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handle;
	/* On the stack that the program set up for signals, if it did: its own may be too small. */
	action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
	return !set(SIGPROF, &action, NULL);
}

/* Any context: a SIGPROF that none of our timers sent. */
void sigprof_signal_pass_on(int signal, siginfo_t *info, void *context)
{
	handler *to = atomic_load(&wanted);

	if (to == SIG_DFL || to == SIG_IGN)
		return;
	if (atomic_load(&wanted_flags) & SA_SIGINFO)
		((void (*)(int, siginfo_t *, void *))(void (*)(void))to)(signal, info, context);
	else
		to(signal);
}
