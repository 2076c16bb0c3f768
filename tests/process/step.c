/* SPDX-License-Identifier: MIT */
/*
 * Single-stepping a program through alloc and free, as a debugger's "next" does. Every trap aborts
 * a restartable sequence, so without the rule of 8 aborts the call would never come to its end.
 */
#include <bma/bma.h>

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "test.h"

#define STEPS_MAX 200000
#define N 10

static void tracee(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};
	struct bma_cache *c;
	void *objs[N];

	setenv("BMA_CONF", "worker:off", 1);
	c = bma_cache_create(&a);
	CHECK(c, "create");
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (int i = 0; i < N; i++)
		objs[i] = bma_cache_alloc(c);
	for (int i = 0; i < N; i++) {
		if (!objs[i])
			_exit(2);
		for (int k = 0; k < i; k++) {
			if (objs[k] == objs[i])
				_exit(3);
		}
		bma_cache_free(c, objs[i]);
	}
	_exit(0);
}

int main(void)
{
	pid_t pid = fork();
	int status, steps = 0;

	if (!pid)
		tracee();
	waitpid(pid, &status, 0);
	CHECK(WIFSTOPPED(status), "status %x", status);
	while (WIFSTOPPED(status) && steps++ < STEPS_MAX) {
		ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
		waitpid(pid, &status, 0);
	}
	if (!WIFEXITED(status))
		kill(pid, SIGKILL);
	CHECK(WIFEXITED(status), "no end after %d steps", steps);
	CHECK(!WEXITSTATUS(status), "tracee: %d", WEXITSTATUS(status));
	printf("%d steps\n", steps);
	return 0;
}
