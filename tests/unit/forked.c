/* SPDX-License-Identifier: MIT */
/*
 * Fork while another thread is in the middle of something, at every place where that matters: a lock, a ticket,
 * a pin, a guest slot. The child must be able to work, and to destroy what it inherited.
 */
#include "fault.h"

#include "api/api.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
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

/* What a child that is so many forks away finds counted by who goes on there. */
static const char *goes_on(struct bma__engine *e, const struct bma__ticket *open, uint32_t counted)
{
	uint64_t words, live;

	bma__ticket_close(open);
	if (bma__count_change(&e->limbo_slots, (uint64_t)-1, counted, &words))
		return "what was counted before the fork was taken back after it";
	if (!bma__ticket_wait(e, 1000000000u))
		return "a ticket is open";
	return bma__reclaim_engine(e, &live) || live ? "not all is at home" : NULL;
}

/* What was never counted, of an engine that is made there, has no generation that a process ever gets. */
Test(forked, as_many_times_as_there_are_generations, .timeout = 60)
{
	start("worker:off");
	for (int depth = 0; depth < 2 * (int)BMA__COUNT_ONE; depth++) {
		struct bma__engine *e = engine(64, 6);
		struct bma__ticket open = bma__ticket_open(e);
		uint32_t counted = bma__count_announce(&e->limbo_slots);
		const char *wrong;
		int status;
		pid_t pid = fork();

		cr_assert_geq(pid, 0);
		if (pid) {
			cr_assert_eq(waitpid(pid, &status, 0), pid);
			if (depth)
				_exit(status != 0);
			cr_assert_eq(status, 0, "%x", (unsigned int)status);
			return;
		}
		alarm(20);
		wrong = goes_on(e, &open, counted);
		if (wrong) {
			fprintf(stderr, "fork %d: %s\n", depth + 1, wrong);
			_exit(1);
		}
	}
	_exit(0);
}

static struct bma__engine *of_guests;
static uint32_t guest_plane;

static void stop_here(void)
{
	ready = 1;
	while (ready != 2)
		bma__os_sleep(100000);
}

static void *open_guest(void *unused)
{
	struct bma__view v;

	(void)unused;
	if (bma__view_open_guest_at(of_guests, &v, guest_plane))
		bma__view_close(&v);
	ready = 3;
	return NULL;
}

/* Before its plane is known to be in use the child would not find that it has to be freed. */
Test(forked, while_a_guest_slot_is_opened_first, .timeout = 60)
{
	pid_t pid;
	int status;

	start("worker:off");
	of_guests = engine(64, 6);
	guest_plane = bma__view_guest_plane(0);
	arm_fault((void *)((uintptr_t)of_guests->used & ~(BMA_PAGE - 1)), BMA_PAGE, PROT_READ,
		  stop_here);
	other(open_guest);
	pid = fork();
	if (!pid)
		_exit(bma__slot_at(of_guests, guest_plane)->owner != 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	ready = 2;
	while (ready != 3)
		bma__os_sleep(100000);
	cr_assert_eq(faults, 1);
	cr_assert_eq(status, 0, "it is owned in the child: %x", (unsigned int)status);
}

static _Atomic int destroyed;

static void *destroy(void *unused)
{
	(void)unused;
	ready = 1;
	destroyed = bma_cache_destroy(cache);
	ready = 2;
	return NULL;
}

/* It would have found an object live; so in the child the cache is used on, and refilled. */
static bool is_refilled(void)
{
	alarm(10);
	for (int i = 0; i < 3; i++) {
		for (int n = 0; bma_cache_alloc(cache); n++) {
			if (n == 1000000)
				return false;
		}
		if (bma_poll(0) < 0 || !bma_cache_alloc(cache))
			return false;
	}
	return true;
}

Test(forked, while_a_destroy_waits, .timeout = 60)
{
	void *live;
	pid_t pid;
	int status;

	start("worker:off");
	live = bma_cache_alloc_flags(cache, BMA_SLEEP);
	ticket = bma__ticket_open(cache->engine);
	other(destroy);
	while (!cache->engine->dying)
		bma__os_sleep(100000);
	pid = fork();
	if (!pid)
		_exit(!is_refilled());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "%x", (unsigned int)status);
	bma__ticket_close(&ticket);
	while (ready != 2)
		bma__os_sleep(100000);
	cr_assert_eq(destroyed, -EBUSY);
	bma_cache_free(cache, live);
	cr_assert_eq(bma_cache_destroy(cache), 0);
}

static struct bma__engine *counted_anew;
static void *deferred;

static void on_signal(int sig)
{
	(void)sig;
	bma__limbo_free(counted_anew, deferred, true);
}

static void signal_here(void)
{
	raise(SIGUSR1);
}

/* The object that the handler freed, after what the child had to count. */
static const char *is_counted(struct bma__engine *e)
{
	uint32_t words = 0, plane;
	uint64_t live;

	alarm(10);
	bma__plane_for_each (e, plane)
		words += bma__slot_at(e, plane)->limbo != 0;
	if (faults != 1 || words != 1)
		return "the signal did not come, or its handler did nothing";
	if (bma__count_read(&e->limbo_slots) != words)
		return "what the handler did is not counted";
	return bma__reclaim_engine(e, &live) || live ? "not all is at home" : NULL;
}

/* Slots are looked at one after the other: a handler between two of them would change one that is counted already. */
Test(forked, a_signal_comes_while_the_child_counts, .timeout = 60)
{
	uint32_t last;
	uintptr_t page;
	pid_t pid;
	int status;

	start("worker:off");
	bma__fuzz_slot = 1; /* guest slots from the first one on */
	counted_anew = engine(64, 6);
	deferred = bma__slot_alloc_from(counted_anew, bma__refill_magazine(counted_anew, 0));
	bma__slot_free(counted_anew,
		       bma__slot_alloc(counted_anew)); /* in the slot that is used then */
	last = bma__cpu.slots + bma__cpu.guests - 1;
	bma__plane_use(counted_anew, last);
	page = (uintptr_t)bma__slot_at(counted_anew, last) & ~(BMA_PAGE - 1);
	signal(SIGUSR1, on_signal);
	arm_fault((void *)page, BMA_PAGE, PROT_NONE, signal_here);
	pid = fork();
	if (!pid) {
		const char *wrong = is_counted(counted_anew);

		if (wrong)
			fprintf(stderr, "%s\n", wrong);
		_exit(wrong != NULL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(mprotect((void *)page, BMA_PAGE, PROT_READ | PROT_WRITE), 0);
	cr_assert_eq(faults, 0, "the parent does not count");
	cr_assert_eq(status, 0, "%x", (unsigned int)status);
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
