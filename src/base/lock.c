/* SPDX-License-Identifier: MIT */
/* Ranked locks, see lock.h. */
#include "base.h"

#include <errno.h>

#ifndef NDEBUG
/* How many locks of each rank this thread holds. */
static _Thread_local uint8_t held[BMA__RANKS];

static void check_order(const struct bma__lock *lock)
{
	for (int r = (int)lock->rank; r < BMA__RANKS; r++) {
		if (held[r])
			bma__log_abort("lock order: rank %d wanted while %d is held",
				       (int)lock->rank, r);
	}
}

static void note(const struct bma__lock *lock, int delta)
{
	held[lock->rank] = (uint8_t)(held[lock->rank] + delta);
}
#else
static void check_order(const struct bma__lock *lock)
{
	(void)lock;
}

static void note(const struct bma__lock *lock, int delta)
{
	(void)lock;
	(void)delta;
}
#endif

static uintptr_t self(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

void bma__lock_init(struct bma__lock *lock, enum bma__lock_rank rank)
{
	pthread_mutex_init(&lock->mutex, NULL);
	atomic_init(&lock->owner, 0);
	lock->rank = rank;
}

bool bma__lock_mine(const struct bma__lock *lock)
{
	return atomic_load_explicit(&lock->owner, memory_order_relaxed) == self();
}

void bma__lock_take(struct bma__lock *lock)
{
	check_order(lock);
	pthread_mutex_lock(&lock->mutex);
	atomic_store_explicit(&lock->owner, self(), memory_order_relaxed);
	note(lock, 1);
}

void bma__lock_drop(struct bma__lock *lock)
{
	note(lock, -1);
	atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
	pthread_mutex_unlock(&lock->mutex);
}

bool bma__lock_fork_take(struct bma__lock *lock)
{
	if (bma__lock_mine(lock))
		return false;
	pthread_mutex_lock(&lock->mutex);
	atomic_store_explicit(&lock->owner, self(), memory_order_relaxed);
	note(lock, 1);
	return true;
}

void bma__lock_fork_drop(struct bma__lock *lock)
{
	bma__lock_drop(lock);
}
