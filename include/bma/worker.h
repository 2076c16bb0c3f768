/* SPDX-License-Identifier: MIT */
/*
 * The sleepable half: who refills, drains and gives memory back, and when.
 *
 * By default a worker thread does it, and a grace-period thread waits where RCU has to be waited
 * for. Both block all signals, start in the first may-sleep call, and are never RCU readers.
 * Programs that want no threads set BMA_CONF=worker:off and call bma_poll() from their own loop.
 */
#ifndef BMA_WORKER_H
#define BMA_WORKER_H

#include <bma/config.h>

BMA_BEGIN_DECLS

/** BMA_POLL_GP - Also wait for one grace period if memory or objects wait for one. */
#define BMA_POLL_GP 1u

/**
 * bma_poll - Do what the worker would do, once, in this thread.
 * @flags: 0 or %BMA_POLL_GP.
 *
 * Refills depots that fell below their low watermark, drains those above their high one, collects
 * parked objects. With %BMA_POLL_GP and something waiting for a grace period it waits for one,
 * last. Where there is no worker it also writes the page of BMA_CONF=export, at most once a second.
 *
 * Gives back what has been free for BMA_CONF=purge_ms (1000): called at least that often, as the worker would.
 *
 * Context: may sleep; with %BMA_POLL_GP not inside an RCU read section. Thread-safe.
 * Returns: the number of magazines moved (0: there was nothing to do), -EINVAL for unknown flags,
 * or -EDEADLK if %BMA_POLL_GP was given inside a read section and something waits (everything else has been done),
 * or -ETIMEDOUT as for bma_trim().
 */
BMA_API int bma_poll(unsigned int flags);

/**
 * bma_trim - Give back all memory that holds no live object.
 *
 * Only of 2 MiB that may be one huge page, and of which more than half is in use, free parts stay: giving them back would break the page.
 *
 * Empties the magazines of every CPU, returns their objects to the slabs, and the pages of wholly
 * free slabs to the system after a grace period, for which it waits. No stock is left: who may not sleep finds nothing but
 * a bma_reserve_create() until somebody asked for more (a call that failed does) and the worker, or bma_poll(), refilled.
 *
 * Context: may sleep, not inside an RCU read section. Thread-safe; other threads may go on allocating
 * and freeing meanwhile.
 * Returns: 0; -EDEADLK if called inside a read section and something waits: everything is drained, but the pages go back
 * when the grace-period thread has seen a grace period; -ETIMEDOUT in a child of fork in which
 * liburcu can end no grace period, because other threads were registered as readers at the fork.
 */
BMA_API int bma_trim(void);

/**
 * bma_shutdown - Stop and join the threads of the library.
 *
 * Caches stay usable; the threads start again in the next may-sleep call that needs them. For
 * programs that must be single-threaded at some point, and before unloading. The page of BMA_CONF=export
 * is removed, and comes back with the worker.
 *
 * Context: may sleep, not inside an RCU read section, not from a constructor of a cache.
 * Returns: 0, or -EDEADLK inside a read section (nothing was done), or -ETIMEDOUT as for bma_trim()
 * (the grace-period thread goes on).
 */
BMA_API int bma_shutdown(void);

BMA_END_DECLS

#endif /* BMA_WORKER_H */
