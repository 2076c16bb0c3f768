/* SPDX-License-Identifier: MIT */
/*
 * Fork while another thread is in the middle of something, at every place where that matters: a lock, a ticket,
 * a pin, a guest slot. The child must be able to work, and to destroy what it inherited.
 */
#include "fault.h"

#include "api/api.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOLD 30000000u /* nanoseconds that a lock is held across the fork */

static struct bma_cache *cache;
static struct bma__lock *held;
static struct bma__ticket ticket;
static _Atomic int ready;

static void start(const char *conf)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};

	setenv("BMA_CONF", conf, 1);
	cache = bma_cache_create(&a);
	cr_assert_not_null(cache);
}

static void other(void *(*main)(void *))
{
	pthread_t t;

	ready = 0;
	cr_assert_eq(pthread_create(&t, NULL, main, NULL), 0);
	pthread_detach(t);
	while (!ready)
		bma__os_sleep(100000);
}

/* In the child; its exit status says what did not work. */
static void child(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 3000};
	struct bma_cache *own;
	void *p[300];

	alarm(10);
	if (bma_cache_alloc_bulk(cache, p, 300, BMA_SLEEP) != 300)
		_exit(1);
	bma_cache_free_bulk(cache, p, 300);
	own = bma_cache_create(&a);
	if (!own || bma_cache_alloc_bulk(own, p, 300, BMA_SLEEP) != 300)
		_exit(2);
	bma_cache_free_bulk(own, p, 300);
	if (bma_poll(0) < 0 || bma_trim())
		_exit(3);
	if (bma_cache_destroy(own) || bma_cache_destroy(cache))
		_exit(4);
	_exit(0);
}

static void fork_and_check(const char *what)
{
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (!pid)
		child();
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0, "%s: %x", what, (unsigned int)status);
}

static void *hold_lock(void *unused)
{
	(void)unused;
	bma__lock_take(held);
	ready = 1;
	bma__os_sleep(HOLD);
	bma__lock_drop(held);
	ready = 2;
	return NULL;
}

static void fork_while_held(struct bma__lock *lock, const char *name)
{
	held = lock;
	other(hold_lock);
	fork_and_check(name);
	while (ready != 2)
		bma__os_sleep(100000);
}

Test(forked, while_a_lock_is_held, .timeout = 120)
{
	start("worker:off");
	fork_while_held(&bma__init_lock, "init");
	fork_while_held(&bma__thread_lock, "thread");
	fork_while_held(&bma__drain_lock, "drain");
	fork_while_held(&bma__registry_lock, "registry");
	fork_while_held(&cache->engine->lock, "engine");
	fork_while_held(&bma__purge_lock, "purge");
	fork_while_held(&bma__chunk_lock, "chunk");
	fork_while_held(&bma__meta_lock, "meta");
	fork_while_held(&bma__mag_lock, "segment");
	cr_assert_eq(bma_cache_destroy(cache), 0);
}

static void *open_ticket(void *unused)
{
	(void)unused;
	ticket = bma__ticket_open(cache->engine);
	ready = 1;
	return NULL;
}

Test(forked, while_a_ticket_is_open, .timeout = 60)
{
	start("worker:off");
	other(open_ticket);
	fork_and_check("ticket");
	bma__ticket_close(&ticket);
	cr_assert_eq(bma_cache_destroy(cache), 0);
}

Test(forked, while_an_engine_is_pinned, .timeout = 60)
{
	start("worker:off");
	cr_assert_eq(bma__engine_pin(cache->engine->id), cache->engine);
	fork_and_check("pin");
	bma__engine_unpin(cache->engine);
	cr_assert_eq(bma_cache_destroy(cache), 0);
}

/* A thread that is not there has the guest slots, with objects in them. */
Test(forked, while_guest_slots_are_owned, .timeout = 60)
{
	struct bma__engine *e;
	void *p;

	start("worker:off,rseq:off");
	e = cache->engine;
	p = bma_cache_alloc_flags(cache, BMA_SLEEP);
	bma_cache_free(cache, p);
	for (uint32_t g = 0; g < bma__cpu.guests; g++)
		atomic_store(&bma__slot_at(e, bma__cpu.slots + g)->owner, 1);
	fork_and_check("guest slots");
	for (uint32_t g = 0; g < bma__cpu.guests; g++)
		atomic_store(&bma__slot_at(e, bma__cpu.slots + g)->owner, 0);
	cr_assert_eq(bma_cache_destroy(cache), 0);
}

/* Its threads are not those of the parent: somebody must refill. */
static void child_with_worker(void)
{
	void *p = bma_cache_alloc_flags(cache, BMA_SLEEP);
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 100};

	alarm(10);
	bma_cache_free(cache, p);
	if (!bma_cache_create(&a)) /* starts the threads */
		_exit(5);
	for (int i = 0; i < 1000000 && bma_cache_alloc(cache); i++)
		;
	while (!bma_cache_alloc(cache))
		bma__os_sleep(1000000);
	child();
}

Test(forked, with_the_worker_running, .timeout = 60)
{
	start("worker:on");
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			child_with_worker();
		waitpid(pid, &status, 0);
		/* Its objects are live. */
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 4, "%x",
			  (unsigned int)status);
	}
	cr_assert_eq(bma_cache_destroy(cache), 0);
}
