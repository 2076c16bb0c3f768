/* SPDX-License-Identifier: MIT */
/* The worker, see worker.h. Ordering: MO-6, MO-20 (docs/memory-ordering.md). */
#include "cache.h"

#define NAP_PARKED 10000000u
#define NAP_WATCHING 50000000u
#define NAP_IDLE 1000000000u
#define KICK_PERIOD 5000000u

static uint64_t nothing(void)
{
	return NAP_IDLE;
}

uint64_t (*bma__worker_export)(void) = nothing;
static struct bma__thread thread;
static struct bma__need need;
static _Atomic uint64_t passes;

void bma__worker_look(struct bma__engine *e)
{
	bma__need_set(&need, e->id);
	bma__worker_wake();
}

void bma__worker_kick(struct bma__engine *e)
{
	uint64_t wish = (uint64_t)atomic_load_explicit(&e->drained, memory_order_relaxed) << 1 | 1;
	uint64_t seen = atomic_load_explicit(&e->wants, memory_order_relaxed);

	while (seen < wish &&
	       !atomic_compare_exchange_weak_explicit(&e->wants, &seen, wish, memory_order_release,
						      memory_order_relaxed))
		;
	bma__worker_look(e);
}

void bma__worker_kick_sometimes(struct bma__engine *e)
{
	uint64_t now = bma__os_now();

	if (now - atomic_load_explicit(&e->kicked, memory_order_relaxed) < KICK_PERIOD)
		return;
	atomic_store_explicit(&e->kicked, now, memory_order_relaxed);
	bma__worker_kick(e);
}

void bma__worker_wake(void)
{
	if (bma__thread_running(&thread))
		bma__waker_ask(&thread.waker);
}

void bma__worker_forget(struct bma__engine *e)
{
	bma__need_clear(&need, e->id);
	/* Whose wish this takes is served with the count that it was made under, or a later one. */
	atomic_exchange_explicit(&e->wants, 0, memory_order_acquire);
}

static uint32_t service(struct bma__engine *e, bool refill, uint32_t drained)
{
	atomic_fetch_add_explicit(&passes, 1, memory_order_relaxed);
	return bma__refill_service(e, refill, drained);
}

/* To collect, to finish and to drain, not to refill. */
static void look(struct bma__engine *e)
{
	service(e, false, 0);
}

static void serve_needs(void)
{
	bma__need_for_each (&need, e) {
		uint64_t wish = atomic_exchange_explicit(&e->wants, 0, memory_order_acquire);

		service(e, wish & 1, (uint32_t)(wish >> 1));
	}
}

/* Look after engines that need it without asking; returns how long the worker may sleep. */
static uint64_t serve_watched(void)
{
	static uint64_t last;
	uint64_t nap = NAP_IDLE, now = bma__os_now(), sample;
	bool due = now - last >= NAP_WATCHING;
	struct bma__engine *e = NULL;

	while ((e = bma__engine_next(e))) {
		if (bma__park_count(e)) {
			look(e);
			nap = NAP_PARKED;
		} else if (atomic_load_explicit(&e->watched, memory_order_relaxed)) {
			if (due)
				look(e);
			if (nap > NAP_WATCHING)
				nap = NAP_WATCHING;
		}
	}
	if (due)
		last = now;
	sample = bma__sample_tick();
	return nap < sample ? nap : sample;
}

/* Memory that nobody wants any more. @nap: how long the worker may sleep; returns the same. */
static uint64_t give_back(uint64_t nap)
{
	uint64_t now = bma__os_now(), squeeze = bma__squeeze_pass(now);
	uint64_t settle = bma__settle_tick(now), purge = bma__purge_tick(now);

	nap = squeeze < nap ? squeeze : nap;
	nap = settle < nap ? settle : nap;
	return purge < nap ? purge : nap;
}

static void *worker_main(void *unused)
{
	(void)unused;
	while (!bma__thread_stopping(&thread)) {
		uint64_t nap, orphans, pressure, idle, update;

		bma__waker_look(&thread.waker);
		if (bma__heap_freed())
			bma__heap_collect();
		idle = bma__idle_look();
		serve_needs();
		nap = serve_watched();
		orphans = bma__orphan_reap(false);
		pressure = bma__pressure_pass();
		bma__shared_pass();
		nap = idle < nap ? idle : nap;
		nap = give_back(nap);
		nap = orphans < nap ? orphans : nap;
		update = bma__worker_export();
		nap = pressure < nap ? pressure : nap;
		nap = update < nap ? update : nap;
		if (!bma__thread_stopping(&thread))
			bma__waker_sleep(&thread.waker, nap);
	}
	return NULL;
}

int bma__worker_start(void)
{
	int rc = bma__env.worker ? bma__thread_start(&thread, "bma-worker", worker_main) : 0;
	int squeeze = bma__squeeze_start();

	return rc ? rc : squeeze;
}

void bma__worker_stop(void)
{
	bma__squeeze_stop();
	bma__thread_stop(&thread);
}

uint32_t bma__worker_pass_all(void)
{
	struct bma__engine *e = NULL;
	uint32_t moved = 0;

	while ((e = bma__engine_next(e))) {
		bma__worker_forget(e);
		moved += service(e, true, atomic_load_explicit(&e->drained, memory_order_relaxed));
	}
	bma__sample_tick();
	return moved;
}

void bma__worker_finish_all(void)
{
	struct bma__engine *e = NULL;

	while ((e = bma__engine_next(e)))
		bma__finish_wait(e, false);
}

bool bma__worker_runs(void)
{
	return bma__thread_running(&thread);
}

bool bma__worker_is_caller(void)
{
	return bma__thread_running(&thread) && pthread_equal(thread.handle, pthread_self());
}

uint64_t bma__worker_wakes(void)
{
	return atomic_load_explicit(&thread.waker.wakes, memory_order_relaxed);
}

uint64_t bma__worker_passes(void)
{
	return atomic_load_explicit(&passes, memory_order_relaxed);
}

void bma__worker_after_fork(void)
{
	bma__thread_forget(&thread);
	bma__squeeze_after_fork();
}
