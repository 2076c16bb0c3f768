/* SPDX-License-Identifier: MIT */
/* Memory pressure, see squeeze.h. */
#include "cache.h"

#include <errno.h>
#include <unistd.h>

#define PAUSE_MS 100
#define HURRY 1000000000u
#define HURRY_NAP 20000000u

#define NONE (-1)
#define ASKED (-2)

static void wake(struct bma__thread *t);

static struct bma__thread thread = {.wake = wake};
/*
 * What ends the thread's wait. NONE; the descriptor, put there by the thread, which from then on ends, and closes it, only after it was written to; ASKED: it
 * is to end, put there by who stops it, who writes to what he found in its place and to nothing else. So nobody writes to a descriptor that
 * is closed.
 */
static _Atomic int stop_fd = NONE;
static _Atomic int told_fd = NONE; /* of the thread alone; for children of fork */
static _Atomic bool asked;
static _Atomic uint64_t events;

static void close_one(_Atomic int *at)
{
	int fd = atomic_exchange_explicit(at, NONE, memory_order_relaxed);

	if (fd >= 0)
		close(fd);
}

static void wake(struct bma__thread *t)
{
	int fd = atomic_exchange_explicit(&stop_fd, ASKED, memory_order_acq_rel);
	const uint64_t one = 1;

	(void)t;
	while (fd >= 0 && write(fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void tell_worker(void)
{
	atomic_fetch_add_explicit(&events, 1, memory_order_relaxed);
	atomic_store_explicit(&asked, true, memory_order_release);
	bma__worker_wake();
}

/*
 * Until there is pressure, or @ms. BMA__WAIT_NOTHING: go on. Where the wait itself fails it looks now and then, and ends by the flag, as without a
 * descriptor to be stopped by; that descriptor is then left open, for somebody may be about to write to it.
 */
static int wait(int fd, int stop, int ms)
{
	int rc = bma__os.wait(fd, stop, stop < 0 ? PAUSE_MS : ms);

	if (rc == BMA__WAIT_TOLD) {
		tell_worker();
		rc = bma__os.wait(NONE, stop, PAUSE_MS);
	}
	if (rc < 0 && rc != -EINTR) {
		if (fd != NONE)
			bma__log_line("memory pressure: the system tells no longer, error %d", -rc);
		close_one(&told_fd);
		bma__os_sleep(PAUSE_MS * 1000000u);
	} else if (rc == BMA__WAIT_STOP) {
		return BMA__WAIT_STOP;
	}
	if ((rc < 0 || stop < 0) && bma__thread_stopping(&thread))
		return -ECANCELED;
	return BMA__WAIT_NOTHING;
}

static void *squeeze_main(void *unused)
{
	int fd = bma__psi_open(), stop = bma__os.event(), none = NONE, rc = BMA__WAIT_NOTHING;

	(void)unused;
	if (fd < 0)
		bma__log_line("BMA_CONF: pressure:on: the system does not tell, error %d", -fd);
	atomic_store_explicit(&told_fd, fd < 0 ? NONE : fd, memory_order_relaxed);
	if (stop >= 0 && !atomic_compare_exchange_strong_explicit(
				 &stop_fd, &none, stop, memory_order_acq_rel, memory_order_relaxed))
		rc = BMA__WAIT_STOP;
	while (rc == BMA__WAIT_NOTHING)
		rc = wait(atomic_load_explicit(&told_fd, memory_order_relaxed), stop, -1);
	close_one(&told_fd);
	if (stop >= 0 && rc == BMA__WAIT_STOP)
		close(stop);
	atomic_store_explicit(&stop_fd, NONE, memory_order_relaxed);
	return NULL;
}

int bma__squeeze_start(void)
{
	if (!bma__env.pressure || !bma__env.worker)
		return 0;
	return bma__thread_start(&thread, "bma-pressure", squeeze_main);
}

void bma__squeeze_stop(void)
{
	bma__thread_stop(&thread);
}

void bma__squeeze_after_fork(void)
{
	bma__thread_forget(&thread);
	close_one(&told_fd);
	close_one(&stop_fd);
}

static void squeeze(void)
{
	struct bma__engine *e = NULL;

	bma__flavor_for_each (f)
		bma__limbo_flush(f);
	while ((e = bma__engine_next(e)))
		bma__settle_now(e);
	bma__mag_trim();
}

uint64_t bma__squeeze_pass(uint64_t now)
{
	static uint64_t until; /* the worker's */

	if (atomic_exchange_explicit(&asked, false, memory_order_acquire)) {
		squeeze();
		until = now + HURRY;
	}
	if (now >= until)
		return UINT64_MAX;
	bma__purge_all();
	return HURRY_NAP;
}

uint64_t bma__squeeze_events(void)
{
	return atomic_load_explicit(&events, memory_order_relaxed);
}
