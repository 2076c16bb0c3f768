/* SPDX-License-Identifier: MIT */
/*
 * A fork by the thread that is itself in the middle of something, as a handler or a constructor may make it: its
 * own locks and slots stay its own in both processes. And destructors that are due at a fork run in the child.
 */
#include "fault.h"

#include "api/api.h"

#include <bma/fuzz.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#define N 300
#define LARGE 4096

static struct bma_cache *cache;
static _Atomic unsigned int destructed;
static _Atomic int hold, inside;
static void *objs[N];

static void destruct(void *obj, void *ctx)
{
	(void)obj, (void)ctx;
	inside++;
	while (hold)
		bma__os_sleep(200000);
	destructed++;
}

static void start(const char *conf, void (*dtor)(void *obj, void *ctx))
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = LARGE, .dtor = dtor};

	setenv("BMA_CONF", conf, 1);
	cache = bma_cache_create(&a);
	cr_assert_not_null(cache);
	cr_assert_eq(bma_cache_alloc_bulk(cache, objs, N, BMA_SLEEP), N);
}

/* Fork, run @child, which returns whether all is well, there; this process goes on afterwards. */
static void fork_and_check(bool (*child)(void))
{
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (!pid) {
		alarm(20);
		_exit(child() ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0, "status %x", (unsigned int)status);
}

static bool works(void)
{
	void *p = bma_cache_alloc_flags(cache, BMA_SLEEP);

	if (!p)
		return false;
	bma_cache_free(cache, p);
	bma_cache_free_bulk(cache, objs, N);
	return !bma_trim() && !bma_cache_destroy(cache);
}

static bool drop_and_work(void)
{
	struct bma__lock *held[] = {&cache->engine->lock, &bma__registry_lock};

	for (int i = 0; i < 2; i++) {
		if (!bma__lock_mine(held[i]))
			return false;
		bma__lock_drop(held[i]);
	}
	return works();
}

Test(fork_own, locks_stay_taken)
{
	start("worker:off", NULL);
	bma__lock_take(&bma__registry_lock);
	bma__lock_take(&cache->engine->lock);
	fork_and_check(drop_and_work);
	cr_assert(drop_and_work());
}

static struct bma__slot *slot;

static bool slot_is_owned(void)
{
	uintptr_t owner = atomic_load(&slot->owner);

	atomic_store(&slot->owner, 0);
	return owner == bma__cpu_thread() && works();
}

Test(fork_own, a_guest_slot_stays_owned)
{
	struct bma__view v = {0};

	setenv("BMA_CONF", "worker:off", 1);
	cr_assert_eq(bma_fuzz_set_slot(0), 0);
	start("worker:off", NULL);
	cr_assert(bma__view_open(cache->engine, &v, 0));
	cr_assert(v.guest);
	slot = v.slot;
	fork_and_check(slot_is_owned);
	cr_assert(slot_is_owned());
}

/* Its reader is the child itself, which leaves. */
static bool leave_and_trim(void)
{
	if (destructed)
		return false;
	urcu_memb_read_unlock();
	if (bma_trim() || destructed < N)
		return false;
	urcu_memb_unregister_thread();
	return !bma_cache_destroy(cache);
}

/* All objects are home, and their slabs wait for a grace period. */
Test(fork_own, slabs_that_wait_are_destructed_in_the_child, .timeout = 60)
{
	start("worker:off", destruct);
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	bma_cache_free_bulk(cache, objs, N);
	cr_assert_eq(bma_trim(), -EDEADLK);
	cr_assert_eq(destructed, 0);
	fork_and_check(leave_and_trim);
	cr_assert(leave_and_trim());
}

static bool the_others_are_destructed(void)
{
	unsigned int before = destructed;

	hold = 0;
	return !bma_trim() && destructed > before;
}

/* The worker is inside the first destructor, and slabs are due that it has not come to. */
Test(fork_own, slabs_that_are_due_are_destructed_in_the_child, .timeout = 60)
{
	start("gp_flush_ms:1", destruct);
	hold = 1;
	bma_cache_free_bulk(cache, objs, N);
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	cr_assert_eq(bma_trim(), -EDEADLK); /* does not wait for the destructor */
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	while (!inside)
		bma__os_sleep(200000);
	fork_and_check(the_others_are_destructed);
	hold = 0;
	cr_assert_eq(bma_cache_destroy(cache), 0);
	cr_assert_geq(destructed, N);
}
