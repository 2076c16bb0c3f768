/* SPDX-License-Identifier: MIT */
/*
 * A fork while another thread is in the first use of the library: the child can use it, too. So can the program's own handlers, which were registered
 * before that use.
 */
#include <bma/bma.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "test.h"

#define ROUNDS 100
#define PATIENCE 10

static _Atomic bool begun;

static void use(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};
	struct bma_cache *c = bma_cache_create(&a);
	void *p;

	CHECK(c, "a cache");
	p = bma_cache_alloc(c);
	CHECK(p, "an object");
	bma_cache_free(c, p);
	CHECK(!bma_cache_destroy(c), "its end");
}

static void *first(void *arg)
{
	begun = true;
	use();
	return arg;
}

static void wait_for(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid && !status, "a process ended with %#x", status);
}

/* As a handler of the program. */
static void before_or_after(void)
{
	use();
	bma_poll(0);
}

static void fork_with_handlers(void)
{
	int rc;
	pid_t pid;

	CHECK(!pthread_atfork(before_or_after, before_or_after, before_or_after), "handlers");
	use();
	alarm(PATIENCE);
	pid = fork();
	CHECK(pid >= 0, "fork");
	if (!pid) {
		use();
		_exit(0);
	}
	wait_for(pid);
	rc = bma_shutdown();
	CHECK(!rc, "shutdown %d", rc);
	_exit(0);
}

/* In a process that has not used it yet. */
static void fork_meanwhile(useconds_t after)
{
	pthread_t t;
	pid_t pid;

	CHECK(!pthread_create(&t, NULL, first, NULL), "thread");
	while (!begun)
		;
	usleep(after);
	pid = fork();
	CHECK(pid >= 0, "fork");
	alarm(PATIENCE);
	if (!pid) {
		use();
		_exit(0);
	}
	wait_for(pid);
	pthread_join(t, NULL);
	_exit(0);
}

int main(void)
{
	pid_t own = fork();

	CHECK(own >= 0, "fork");
	if (!own)
		fork_with_handlers();
	wait_for(own);
	for (useconds_t i = 0; i < ROUNDS; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0, "fork");
		if (!pid)
			fork_meanwhile(i * 20);
		wait_for(pid);
	}
	return 0;
}
