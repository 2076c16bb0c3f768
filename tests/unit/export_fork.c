/* SPDX-License-Identifier: MIT */
/* A handler forks wherever a poll that exports is. */
#include "obs/obs.h"

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t is_child, forked, killed;

static void forks(int sig)
{
	int status = 0;
	pid_t pid;

	(void)sig;
	pid = fork();
	if (!pid) {
		setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
		is_child = 1;
		return;
	}
	waitpid(pid, &status, 0);
	forked++;
	killed += !WIFEXITED(status) || WEXITSTATUS(status);
}

Test(export_fork, the_child_of_a_handler_goes_on, .timeout = 60)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};
	struct itimerval t = {{0, 2000}, {0, 2000}};

	setenv("BMA_CONF", "worker:off,export", 1);
	cr_assert_not_null(bma_cache_create(&a));
	signal(SIGALRM, forks);
	setitimer(ITIMER_REAL, &t, NULL);
	while (forked < 60) {
		bma__export_write(); /* as bma_poll() does once a second */
		if (is_child)
			_exit(0);
	}
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
	cr_assert_eq(killed, 0, "%d of %d", (int)killed, (int)forked);
}
