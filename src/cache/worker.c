/* SPDX-License-Identifier: MIT */
/* The worker, see worker.h. */
#include "cache.h"

#include <pthread.h>

#define NAP_PARKED 10000000u
#define NAP_WATCHING 50000000u
#define NAP_IDLE 1000000000u
#define KICK_PERIOD 5000000u
#define NEED_WORDS (BMA__ENGINES_MAX / 64)

struct bma__lock bma__thread_lock = BMA__LOCK_INIT(BMA__RANK_THREAD);
static struct bma__waker waker;
static _Atomic uint64_t need[NEED_WORDS];
static _Atomic uint64_t passes;
static pthread_t thread;
static _Atomic bool running; /* [lock to change] */
static _Atomic bool stopping;

void bma__worker_kick(struct bma__engine *e)
{
	_Atomic uint64_t *word = &need[e->id / 64];
	uint64_t bit = 1ull << e->id % 64;

	/* What the need is about comes before the look at the bit. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!(atomic_load_explicit(word, memory_order_relaxed) & bit))
		atomic_fetch_or_explicit(word, bit, memory_order_seq_cst);
	if (atomic_load_explicit(&running, memory_order_relaxed))
		bma__waker_ask(&waker);
}

void bma__worker_kick_sometimes(struct bma__engine *e)
{
	uint64_t now = bma__os_now();

	if (now - atomic_load_explicit(&e->kicked, memory_order_relaxed) < KICK_PERIOD)
		return;
	atomic_store_explicit(&e->kicked, now, memory_order_relaxed);
	bma__worker_kick(e);
}

void bma__worker_forget(struct bma__engine *e)
{
	atomic_fetch_and_explicit(&need[e->id / 64], ~(1ull << e->id % 64), memory_order_seq_cst);
}

static uint32_t service(struct bma__engine *e)
{
	atomic_fetch_add_explicit(&passes, 1, memory_order_relaxed);
	return bma__refill_service(e);
}

static void serve_needs(void)
{
	for (uint32_t w = 0; w < NEED_WORDS; w++) {
		uint64_t bits;

		if (!atomic_load_explicit(&need[w], memory_order_relaxed))
			continue;
		bits = atomic_exchange_explicit(&need[w], 0, memory_order_seq_cst);
		for (; bits; bits &= bits - 1) {
			struct bma__engine *e =
				bma__engine_pin(w * 64 + (uint32_t)__builtin_ctzll(bits));

			if (!e)
				continue;
			service(e);
			bma__engine_unpin(e);
		}
	}
}

/* Look after engines that need it without asking; returns how long the worker may sleep. */
static uint64_t serve_watched(void)
{
	static uint64_t last;
	uint64_t nap = NAP_IDLE, now = bma__os_now();
	bool due = now - last >= NAP_WATCHING;
	struct bma__engine *e = NULL;

	while ((e = bma__engine_next(e))) {
		if (bma__park_count(e)) {
			service(e);
			nap = NAP_PARKED;
		} else if (atomic_load_explicit(&e->watched, memory_order_relaxed)) {
			if (due)
				service(e);
			if (nap > NAP_WATCHING)
				nap = NAP_WATCHING;
		}
	}
	if (due)
		last = now;
	return nap;
}

static void *worker_main(void *unused)
{
	(void)unused;
	while (!atomic_load_explicit(&stopping, memory_order_acquire)) {
		uint64_t nap;

		bma__waker_look(&waker);
		serve_needs();
		nap = serve_watched();
		if (!atomic_load_explicit(&stopping, memory_order_acquire))
			bma__waker_sleep(&waker, nap);
	}
	return NULL;
}

int bma__worker_start(void)
{
	int rc = 0;

	if (!bma__env.worker || atomic_load_explicit(&running, memory_order_relaxed))
		return 0;
	bma__lock_take(&bma__thread_lock);
	if (!atomic_load_explicit(&running, memory_order_relaxed)) {
		rc = bma__thread_start(&thread, "bma-worker", worker_main, NULL);
		atomic_store_explicit(&running, !rc, memory_order_relaxed);
		bma__waker_ask(&waker); /* for who found it not running meanwhile */
	}
	bma__lock_drop(&bma__thread_lock);
	return rc;
}

void bma__worker_stop(void)
{
	bool was;

	/* Not joined under the lock: a thread in a read section may want it, and the joined one wait for it. */
	bma__lock_take(&bma__thread_lock);
	was = atomic_load_explicit(&running, memory_order_relaxed) &&
	      !atomic_exchange_explicit(&stopping, true, memory_order_release);
	bma__lock_drop(&bma__thread_lock);
	if (!was)
		return;
	bma__waker_ask(&waker);
	pthread_join(thread, NULL);
	bma__lock_take(&bma__thread_lock);
	atomic_store_explicit(&running, false, memory_order_relaxed);
	atomic_store_explicit(&stopping, false, memory_order_relaxed);
	bma__lock_drop(&bma__thread_lock);
}

uint32_t bma__worker_pass_all(void)
{
	struct bma__engine *e = NULL;
	uint32_t moved = 0;

	while ((e = bma__engine_next(e))) {
		bma__worker_forget(e);
		moved += service(e);
	}
	return moved;
}

uint64_t bma__worker_wakes(void)
{
	return atomic_load_explicit(&waker.wakes, memory_order_relaxed);
}

uint64_t bma__worker_passes(void)
{
	return atomic_load_explicit(&passes, memory_order_relaxed);
}

void bma__worker_after_fork(void)
{
	atomic_store_explicit(&running, false, memory_order_relaxed);
	atomic_store_explicit(&stopping, false, memory_order_relaxed);
	atomic_store_explicit(&waker.word, BMA__WAKER_IDLE, memory_order_relaxed);
}
