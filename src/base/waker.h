/* SPDX-License-Identifier: MIT */
/*
 * Waking one sleeping thread, from any context, without losing a wake-up or giving two for one
 * need.
 *
 * One word: IDLE (awake, nothing asked), ASKED, ASLEEP, WAKING, and above these two bits how often the thread went to
 * sleep. The asker publishes what it wants first, then changes IDLE to ASKED, or ASLEEP to WAKING, wakes the thread,
 * and then changes WAKING to ASKED. An asker that is stopped before it woke leaves WAKING behind, and the next one
 * wakes. The thread goes to sleep by a compare and exchange from IDLE, so what was asked since it last looked keeps
 * it awake.
 *
 * Why the count: the last exchange of an asker that is late must not meet the WAKING of a later sleep, which would
 * hide, behind an asker that is stopped there, all that come after it.
 *
 * Ordering: a sequentially consistent fence stands between publishing and the exchange, and between
 * the thread's exchange and its look at what was published (an exchange alone does not order a later
 * relaxed load on every machine). So either the thread sees what was published, or the asker sees
 * ASLEEP or WAKING. If the only asker is stopped before the wake the thread sleeps until its timeout: nobody sleeps
 * here without one.
 *
 * Ordering: MO-6 (docs/memory-ordering.md).
 */
#ifndef BMA_BASE_WAKER_H
#define BMA_BASE_WAKER_H

#include "os.h"

#include <stdatomic.h>
#include <stdbool.h>

enum { BMA__WAKER_IDLE, BMA__WAKER_ASKED, BMA__WAKER_ASLEEP, BMA__WAKER_WAKING };
#define BMA__WAKER_STATE 3u
#define BMA__WAKER_SLEPT 4u /* once */

struct bma__waker {
	_Atomic uint32_t word;
	_Atomic uint64_t wakes;
};

/* Ask the thread to look. Any context. */
static inline void bma__waker_ask(struct bma__waker *w)
{
	uint32_t seen, state;

	atomic_thread_fence(memory_order_seq_cst);
	seen = atomic_load_explicit(&w->word, memory_order_seq_cst);
	for (;;) {
		uint32_t next;

		state = seen & BMA__WAKER_STATE;
		if (state == BMA__WAKER_ASKED || state == BMA__WAKER_WAKING)
			break;
		next = state == BMA__WAKER_IDLE ? BMA__WAKER_ASKED : BMA__WAKER_WAKING;
		next |= seen & ~BMA__WAKER_STATE;
		if (!atomic_compare_exchange_weak_explicit(
			    &w->word, &seen, next, memory_order_seq_cst, memory_order_seq_cst))
			continue;
		if (state == BMA__WAKER_ASLEEP)
			atomic_fetch_add_explicit(&w->wakes, 1, memory_order_relaxed);
		seen = next;
	}
	if (state != BMA__WAKER_WAKING)
		return;
	bma__os_futex_wake(&w->word, 1);
	atomic_compare_exchange_strong_explicit(&w->word, &seen,
						(seen & ~BMA__WAKER_STATE) | BMA__WAKER_ASKED,
						memory_order_seq_cst, memory_order_seq_cst);
}

/* The thread: before it looks for work. Whatever is asked from here on will keep it awake. */
static inline void bma__waker_look(struct bma__waker *w)
{
	atomic_fetch_and_explicit(&w->word, ~BMA__WAKER_STATE, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
}

/* The thread: sleep until asked, at most @ns; at once back if asked since bma__waker_look(). */
static inline void bma__waker_sleep(struct bma__waker *w, uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
	uint32_t idle = atomic_load_explicit(&w->word, memory_order_relaxed) & ~BMA__WAKER_STATE;
	uint32_t asleep = (idle + BMA__WAKER_SLEPT) | BMA__WAKER_ASLEEP;

	if (atomic_compare_exchange_strong_explicit(&w->word, &idle, asleep, memory_order_seq_cst,
						    memory_order_seq_cst))
		bma__os.futex_wait(&w->word, asleep, &ts);
}

#endif /* BMA_BASE_WAKER_H */
