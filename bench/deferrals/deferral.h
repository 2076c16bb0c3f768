/* SPDX-License-Identifier: MIT */
/*
 * How an object is freed that readers may still look at. Each method is one header that defines
 * these inline; BENCH_DEFERRAL names it, BENCH_PEER the allocator that it is used with.
 *
 *	DEFER_WORKLOADS                   DEFER_* that make sense for it
 *	DEFER_REUSES                      defined: objects are reused at once, readers see that
 *	DEFER_POLL                        NULL, or what has to be called if the peer has no threads
 *	void defer_start(), defer_stop()  in main(), by a thread bound to no CPU: helper threads
 *	void defer_enter(), defer_leave() around the use by every other thread
 *	peer_pool defer_create(size, objects)
 *	                                  as peer_create()
 *	void defer_destroy(pool)          all objects are free, and settled
 *	void defer_free(pool, object)     outside read sections
 *	void defer_settle(pool)           returns when nothing waits for a grace period any more
 *	uint64_t defer_waiting(freed)     of so many objects freed in this file these wait; 0 where
 *	                                  only the peer knows
 *	void defer_figures(st, pool, waited)
 *	                                  waiting_peak_kib, and others of its own; waited: the most
 *	                                  that defer_waiting() said
 *
 * What a workload defines before it includes this: BENCH_HEAD_AT, where a method that needs room in
 * the object finds 16 bytes; BENCH_NO_RETRY, if a peer_alloc() that returns NULL is a failure, so
 * that a peer whose stock can be told has to be told.
 */
#ifndef BENCH_DEFERRAL_H
#define BENCH_DEFERRAL_H

#define DEFER_CALL 1
#define DEFER_CHURN 2
#define DEFER_THROTTLED 4
#define DEFER_HTAB_LOCKED 8
#define DEFER_HTAB_LFHT 16
#define DEFER_RCU (DEFER_CALL | DEFER_CHURN | DEFER_THROTTLED)
#define DEFER_HTAB (DEFER_HTAB_LOCKED | DEFER_HTAB_LFHT)

#ifndef BENCH_HEAD_AT
#define BENCH_HEAD_AT 0
#endif

#include "workloads/rcu/memb.h"
#include "workloads/workload.h"

/** defer_say_waiting - The counter that every method has. */
static inline void defer_say_waiting(struct bench_state *st, uint64_t objects, size_t size)
{
	bench_set_counter(st, "waiting_peak_kib", (double)objects * (double)size / 1024, 0);
}

#include BENCH_DEFERRAL

#endif /* BENCH_DEFERRAL_H */
