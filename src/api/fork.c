/* SPDX-License-Identifier: MIT */
/*
 * Fork.
 *
 * Before: wait a moment for the grace-period thread to leave synchronize_rcu (liburcu's own locks would
 * be held for ever in the child), then take all locks in rank order, but for those that this thread
 * holds, so that the child finds every structure whole.
 *
 * In the child: our threads are gone, and start again in the first call that refills, makes or destroys
 * a cache, polls or trims. Guest slots owned by other threads are free. Calls that other threads had in
 * progress are forgotten, with the magazines that they had in hand: these count as live, a magazine or
 * two for each thread that was caught exchanging one with the depot.
 */
#include "api.h"

#include "obs/obs.h"

#include <errno.h>
#include <pthread.h>

#define GRACE_PERIOD_PATIENCE 50000000u

static struct bma__lock *const before_engines[] = {
	&bma__init_lock,  &bma__thread_lock, &bma__merge_lock,	 &bma__heap_lock,
	&bma__group_lock, &bma__drain_lock,  &bma__registry_lock};
static struct bma__lock *const after_engines[] = {
	&bma__purge_lock, &bma__advise_lock, &bma__chunk_lock, &bma__meta_lock, &bma__mag_lock};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Taken before anything else and dropped last: two threads may run their fork handlers at the same time, and
 * what follows is state of one fork.
 */
static struct bma__lock fork_lock = BMA__LOCK_INIT(BMA__RANK_FORK);

/* Which of the fixed locks prepare() took: bits in the order of the two arrays. [fork] */
static uint32_t taken;

static void take(struct bma__lock *const *locks, size_t n, uint32_t first)
{
	for (size_t i = 0; i < n; i++) {
		if (bma__lock_fork_take(locks[i]))
			taken |= 1u << (first + i);
	}
}

static void drop(struct bma__lock *const *locks, size_t n, uint32_t first)
{
	for (size_t i = n; i-- > 0;) {
		if (taken & 1u << (first + i))
			bma__lock_fork_drop(locks[i]);
	}
}

static void prepare(void)
{
	void *readers[BMA__FLAVORS_MAX];

	bma__flavor_readers(readers);
	bma__lock_fork_take(&fork_lock); /* a handler that forks in here is not supported */
	bma__flavor_before_fork(GRACE_PERIOD_PATIENCE, readers);
	taken = 0;
	take(before_engines, COUNT(before_engines), 0);
	for (struct bma__engine *e = bma__engine_first_locked(); e; e = e->next)
		e->fork_took = bma__lock_fork_take(&e->lock);
	take(after_engines, COUNT(after_engines), COUNT(before_engines));
}

static void release(void)
{
	drop(after_engines, COUNT(after_engines), COUNT(before_engines));
	for (struct bma__engine *e = bma__engine_first_locked(); e; e = e->next) {
		if (e->fork_took)
			bma__lock_fork_drop(&e->lock);
	}
	drop(before_engines, COUNT(before_engines), 0);
}

static void parent(void)
{
	release();
	bma__flavor_after_fork_parent();
	bma__lock_fork_drop(&fork_lock);
}

static void forget_threads(struct bma__engine *e)
{
	uint32_t plane;

	atomic_store_explicit(&e->pins, 0, memory_order_relaxed);
	atomic_store_explicit(&e->ended, atomic_load_explicit(&e->begun, memory_order_relaxed),
			      memory_order_relaxed);
	bma__reclaim_after_fork(e);
	bma__settle_after_fork(e);
	for (uint32_t node = 0; node < bma__topo.nodes; node++)
		bma__depot_recount(e, &e->depot[node]);
	bma__limbo_recount(e);
	bma__park_recount(e);
	bma__plane_for_each (e, plane) {
		struct bma__slot *s = bma__slot_at(e, plane);

		bma__ticket_forget(s);
		bma__budget_fork_slot(e, s);
		/* What this thread had worked out before a handler forked is void, too. */
		atomic_fetch_add_explicit(&s->gen, 1, memory_order_relaxed);
		if (atomic_load_explicit(&s->owner, memory_order_relaxed) != bma__cpu_thread())
			atomic_store_explicit(&s->owner, 0, memory_order_relaxed);
	}
}

static void put_right(void)
{
	bma__ticket_new_generation();
	bma__budget_fork_begin();
	for (struct bma__engine *e = bma__engine_first_locked(); e; e = e->next)
		forget_threads(e);
	bma__budget_fork_end();
	bma__idle_after_fork();
	bma__pressure_after_fork();
	bma__orphan_after_fork();
	bma__record_after_fork();
	bma__shrinkers_forget();
	if (!bma__stock_inside())
		bma__group_recount(bma__record_own);
	bma__oom_after_fork();
	bma__worker_after_fork();
	bma__export_after_fork();
	bma__flavor_after_fork_child();
	if (bma__cpu.mode != BMA_MODE_GUEST)
		bma__cpu_register();
}

/* No handlers: what they did between a look and the count that follows from it would not be in it. */
static void child(void)
{
	sigset_t was;

	bma__signals_block(&was);
	/* Before the first use there is nothing to be put right, and no other thread was in the middle of it. */
	if (bma__engine_has_begun())
		put_right();
	release();
	bma__lock_fork_drop(&fork_lock);
	bma__signals_restore(&was);
}

int bma__fork_init(void)
{
	static _Atomic bool done;

	if (atomic_load_explicit(&done, memory_order_relaxed))
		return 0;
	if (pthread_atfork(prepare, parent, child))
		return -ENOMEM;
	atomic_store_explicit(&done, true, memory_order_relaxed);
	return 0;
}

/*
 * When the library is loaded: a fork that was under way when the first use began would not know of the handlers, nor wait for the end of
 * that use, and the first call in its child would wait for ever. And so they are registered before the program's own: what these call of ours before a fork
 * finds no lock taken, and in the child all put right.
 */
__attribute__((constructor)) static void at_load(void)
{
	bma__fork_init(); /* if there is no memory the first use tries again, and says so */
}
