/* SPDX-License-Identifier: MIT */
/*
 * Ranked locks. Only may-sleep code takes them.
 *
 * A thread takes locks in rising rank; builds without NDEBUG check it. Each lock knows its owner,
 * so that the fork handlers can take them all except those that the forking thread holds itself (a
 * constructor that forks). Locks of one rank are never held together, but by the fork handlers.
 */
#ifndef BMA_BASE_LOCK_H
#define BMA_BASE_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum bma__lock_rank {
	BMA__RANK_FORK,	    /* one fork at a time */
	BMA__RANK_INIT,	    /* first use of the library */
	BMA__RANK_THREAD,   /* start and stop of our threads */
	BMA__RANK_MERGE,    /* shared engines, their handles, orphans */
	BMA__RANK_HEAP,	    /* large objects of heaps */
	BMA__RANK_GROUP,    /* the tree of groups, and the records of who is charged */
	BMA__RANK_DRAIN,    /* remote drains: the freeze protocol */
	BMA__RANK_REGISTRY, /* the set of engines */
	BMA__RANK_ENGINE,   /* the slabs of one engine */
	BMA__RANK_PURGE,    /* slabs that wait for a grace period */
	BMA__RANK_ADVISE,   /* giving pages back */
	BMA__RANK_CHUNK,    /* chunks and the page map */
	BMA__RANK_META,	    /* memory for metadata */
	BMA__RANK_SEGMENT,  /* magazine segments */
	BMA__RANKS
};

struct bma__lock {
	pthread_mutex_t mutex;
	_Atomic uintptr_t owner; /* thread pointer of the holder, 0: free */
	enum bma__lock_rank rank;
};

#define BMA__LOCK_INIT(r)                                                                          \
	{                                                                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (r)                                    \
	}

void bma__lock_init(struct bma__lock *lock, enum bma__lock_rank rank);
void bma__lock_take(struct bma__lock *lock);
void bma__lock_drop(struct bma__lock *lock);
/* True if this thread holds @lock. */
bool bma__lock_mine(const struct bma__lock *lock);

/* For fork: take unless this thread has it already; give back only what that took. */
bool bma__lock_fork_take(struct bma__lock *lock);
void bma__lock_fork_drop(struct bma__lock *lock);

#endif /* BMA_BASE_LOCK_H */
