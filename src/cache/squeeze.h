/* SPDX-License-Identifier: MIT */
/*
 * Squeeze: the system is short of memory (BMA_CONF=pressure:on), so what is kept for later goes back now.
 *
 * A thread of its own waits for the kernel's word (psi.h), counts it and asks the worker; no more often than every 100 ms. It starts and stops with the
 * worker and takes no lock. The worker then empties the slots of all engines, brings depots down to their targets, gives up slabs that are wholly free,
 * and for a second, in which their grace periods end, gives pages back without waiting for purge_ms. Stocks stay: calls from any
 * context find as much as a depot's target.
 *
 * The thread's descriptors are its own; a second one, which bma__squeeze_stop() writes to, ends its wait. In a child of fork both are closed.
 */
#ifndef BMA_CACHE_SQUEEZE_H
#define BMA_CACHE_SQUEEZE_H

#include <stdint.h>

/* With the worker: start, stop (and join), forget in a child of fork. May sleep. */
int bma__squeeze_start(void);
void bma__squeeze_stop(void);
void bma__squeeze_after_fork(void);

/*
 * The worker: do it if it was asked for. Returns the nanoseconds after which to call this again, UINT64_MAX: when it is asked for.
 */
uint64_t bma__squeeze_pass(uint64_t now);

/* How many times the system told of pressure. */
uint64_t bma__squeeze_events(void);

#endif /* BMA_CACHE_SQUEEZE_H */
