/* SPDX-License-Identifier: MIT */
/*
 * The worker: the thread that refills and drains for those who may not.
 *
 * Whoever has a need (need.h) sets its bit, then asks the waker. The worker works on an engine that it has pinned, with no lock held around user code, and never waits for
 * a grace period. It sleeps at most 10 ms while objects are parked, 50 ms while a depot is above
 * its target, no longer than until the next sample (sample.h) or the next look for idle slots (idle.h), else 1 s.
 */
#ifndef BMA_CACHE_WORKER_H
#define BMA_CACHE_WORKER_H

#include "engine.h"

/* Somebody needs something. Any context. */
void bma__worker_wake(void);
/* @e needs a look: something is to be collected, finished, or drained. Any context. */
void bma__worker_look(struct bma__engine *e);
/* The same, and stock. Any context. */
void bma__worker_kick(struct bma__engine *e);
/*
 * The same by a caller that has helped itself: the depot wants its stock again, but not at once. Wakes the
 * worker at most every 5 ms. May sleep.
 */
void bma__worker_kick_sometimes(struct bma__engine *e);
/* All that @e needs is about to be done. */
void bma__worker_forget(struct bma__engine *e);
/* Start the thread unless it runs or BMA_CONF says worker:off. May sleep. Returns 0 or a negative
 * errno. */
int bma__worker_start(void);
/* Stop and join it. May sleep. */
void bma__worker_stop(void);
/* One pass over all engines, whether they asked or not. May sleep. Returns magazines moved. */
uint32_t bma__worker_pass_all(void);
/* Wait until all destructors that are due have run. May sleep. */
void bma__worker_finish_all(void);

/* Is there a thread? Is it the caller? */
bool bma__worker_runs(void);
bool bma__worker_is_caller(void);
uint64_t bma__worker_wakes(void);
uint64_t bma__worker_passes(void);

/* Called in each round; returns nanoseconds after which it wants to be called again. Set before the thread starts. */
extern uint64_t (*bma__worker_export)(void);

/* In a child of fork, before anything else: the thread is not there. */
void bma__worker_after_fork(void);

#endif /* BMA_CACHE_WORKER_H */
