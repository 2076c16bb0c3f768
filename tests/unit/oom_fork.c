/* SPDX-License-Identifier: MIT */
/* A fork while somebody decides, or gives back. */
#include "oom_waits.h"

#include <sys/wait.h>

/* In a child of fork: what others were at is forgotten, what is there works. */
static void in_child(void (*check)(void))
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (!pid) {
		alarm(20);
		check();
		_exit(7);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %x", (unsigned int)status);
}

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond))                                                                       \
			_exit(1);                                                                  \
	} while (0)

static void child_of_release(void)
{
	a->instead = NULL;
	MUST(take(b));
	MUST(a->released == 2);
	MUST(!bma_oom_set_release(a->group, NULL, NULL, 0));
	MUST(oom_of(top).events == 2);
}

Test(oom_fork, fork_while_a_release_runs)
{
	pthread_t taker;

	crowd();
	a->instead = waits;
	quick = true;
	pthread_create(&taker, NULL, take_one, b);
	wait_entered(1);
	in_child(child_of_release);
	atomic_store(&go, 1);
	pthread_join(taker, NULL);
}

static void child_of_policy(void)
{
	MUST(!bma_oom_policy_detach(top));
	MUST(!attach(top, "largest", bma_oom_largest, NULL));
	MUST(take(b));
	MUST(a->released == 1);
	MUST(!bma_group_destroy(make(top, "more")));
}

Test(oom_fork, fork_while_a_policy_runs)
{
	pthread_t taker;

	crowd();
	cr_assert_eq(attach(top, "lingers", lingers, NULL), 0);
	pthread_create(&taker, NULL, take_one, b);
	wait_entered(1);
	in_child(child_of_policy);
	atomic_store(&go, 1);
	pthread_join(taker, NULL);
	cr_assert_eq(a->released, 1);
}

static pid_t forked;

static enum bma_oom_answer forks(struct bma_oom *oom, void *ctx)
{
	struct bma_oom_candidate o;

	(void)ctx;
	forked = fork();
	MUST(bma_oom_next(oom, &o));
	MUST(!bma_oom_select(oom, a->group));
	if (!forked)
		MUST(!bma_oom_policy_detach(top));
	return BMA_OOM_SELECTED;
}

/* The child is in the middle of the event, and ends it. */
Test(oom_fork, fork_in_a_policy)
{
	int status;
	void *obj;

	crowd();
	cr_assert_eq(attach(top, "forks", forks, NULL), 0);
	obj = take(b);
	if (!forked) {
		MUST(obj && a->released == 1);
		MUST(bma_oom_policy_detach(top) == -ENOENT);
		fill(b, 19);
		MUST(take(b));
		_exit(7);
	}
	cr_assert_not_null(obj);
	cr_assert_eq(waitpid(forked, &status, 0), forked);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %x", (unsigned int)status);
	cr_assert_eq(a->released, 1);
}
