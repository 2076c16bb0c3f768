/* SPDX-License-Identifier: MIT */
/*
 * family: the parent works in in_parent(), before its children and after them. The first child
 * works in in_child(), and a thread of its in in_child_thread(), and leaves by exit(); the second
 * works in in_second() and leaves by _exit(); the third is made by vfork, finds nothing to execute,
 * and leaves by _exit(). Prints the children's numbers.
 */
#include "burn.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 0.4

BURNER(in_parent, 2000)
BURNER(in_child, 2000)
BURNER(in_child_thread, 2000)
BURNER(in_second, 2000)

static void burn(unsigned int (*burner)(unsigned int))
{
	double begin = thread_seconds();
	static volatile unsigned int sink;

	while (thread_seconds() - begin < SECONDS)
		sink = burner(sink);
}

static void *work(void *arg)
{
	(void)arg;
	burn(in_child_thread);
	return NULL;
}

static int wait_for(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
									       : -1;
}

int main(void)
{
	static char *const arguments[] = {"nothing", NULL};
	pid_t child, second, third;
	pthread_t thread;

	burn(in_parent);
	child = fork();
	if (!child) {
		if (pthread_create(&thread, NULL, work, NULL))
			return 9;
		burn(in_child);
		pthread_join(thread, NULL);
		exit(11);
	}
	if (wait_for(child) != 11)
		return 1;
	second = fork();
	if (!second) {
		burn(in_second);
		_exit(12);
	}
	if (wait_for(second) != 12)
		return 2;
	third = vfork();
	if (!third) {
		execv("/nonexistent/program", arguments);
		_exit(13);
	}
	if (wait_for(third) != 13)
		return 3;
	burn(in_parent);
	printf("%d %d %d\n", (int)child, (int)second, (int)third);
	return 0;
}
