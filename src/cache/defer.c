/* SPDX-License-Identifier: MIT */
/* Deferring, see defer.h. */
#include "cache.h"

#include <urcu/flavor.h>
#include <urcu/static/urcu-memb.h>
#include <urcu/urcu-memb.h>

#define NAP_IDLE 1000000000u
#define NAP_WAITER 1000000u

extern const struct rcu_flavor_struct urcu_memb_flavor;

struct bma__lock bma__purge_lock = BMA__LOCK_INIT(BMA__RANK_PURGE);
static struct bma__slab *dying;	 /* [lock] given up, not yet waited for */
static struct bma__slab *doomed; /* [lock] the running grace period is for these */
static _Atomic uint64_t dying_bytes;
static _Atomic uint64_t sealed; /* magazines on sealed stacks */
static _Atomic uint64_t periods;
static _Atomic bool in_period;	 /* somebody runs a batch */
static _Atomic uint32_t batches; /* ended; waiters sleep on it */
static struct bma__thread thread;
/* A child of fork in which liburcu can end no grace period, see bma__defer_before_fork(). */
static _Atomic bool frozen;
static bool fork_holds, fork_guest; /* [fork] what the prepare handler did */

void bma__defer_seal(struct bma__engine *e, uintptr_t word)
{
	atomic_fetch_add_explicit(&e->limbo, bma__mag_count(e->class, word), memory_order_relaxed);
	atomic_fetch_add_explicit(&sealed, 1, memory_order_relaxed);
	bma__stack_push(&e->sealed, e->class, word);
	bma__waker_ask(&thread.waker);
}

void bma__defer_slab(struct bma__slab *slab)
{
	bma__lock_take(&bma__purge_lock);
	slab->next = dying;
	dying = slab;
	atomic_fetch_add_explicit(&dying_bytes, slab->geo.units * BMA__UNIT_SIZE,
				  memory_order_relaxed);
	bma__lock_drop(&bma__purge_lock);
	bma__waker_ask(&thread.waker);
}

bool bma__defer_reading(void)
{
	return urcu_memb_flavor.read_ongoing() != 0;
}

bool bma__defer_pending(void)
{
	return atomic_load_explicit(&dying_bytes, memory_order_relaxed) ||
	       atomic_load_explicit(&sealed, memory_order_relaxed);
}

/* Take all that waits; @found: magazines. Returns whether there was anything. */
static bool take_batch(uint64_t *found)
{
	struct bma__engine *e = NULL;
	bool any;

	*found = 0;
	bma__lock_take(&bma__purge_lock);
	doomed = dying;
	dying = NULL;
	any = doomed != NULL;
	bma__lock_drop(&bma__purge_lock);
	while ((e = bma__engine_next(e))) {
		uint32_t head;

		bma__lock_take(&bma__purge_lock);
		head = bma__stack_take_all(&e->sealed);
		e->waiting = head;
		bma__lock_drop(&bma__purge_lock);
		for (; head; head = bma__stack_next(e->class, head))
			++*found;
	}
	return any || *found;
}

static void release_magazines(struct bma__engine *e)
{
	bma__engine_begin(e);
	bma__lock_take(&bma__purge_lock);
	while (e->waiting) {
		uintptr_t word = bma__stack_word(e->class, e->waiting);
		uint32_t n = bma__mag_count(e->class, word);

		e->waiting = bma__stack_next(e->class, e->waiting);
		bma__depot_add(e, &e->depot[bma__topo_node_now()], word);
		atomic_fetch_sub_explicit(&e->limbo, n, memory_order_release);
	}
	bma__lock_drop(&bma__purge_lock);
	bma__engine_end(e);
}

static void release_slabs(void)
{
	bma__lock_take(&bma__purge_lock);
	while (doomed) {
		struct bma__slab *slab = doomed;

		doomed = slab->next;
		atomic_fetch_sub_explicit(&dying_bytes, slab->geo.units * BMA__UNIT_SIZE,
					  memory_order_relaxed);
		bma__slab_destroy(slab);
	}
	bma__lock_drop(&bma__purge_lock);
}

/* One batch, if nobody else is at it. Returns false then, or if there was nothing. */
static bool run_batch(void)
{
	struct bma__engine *e = NULL;
	uint64_t found;
	bool idle = false, any;

	if (atomic_load_explicit(&frozen, memory_order_relaxed) ||
	    !atomic_compare_exchange_strong_explicit(&in_period, &idle, true, memory_order_acquire,
						     memory_order_relaxed))
		return false;
	any = take_batch(&found);
	if (any) {
		urcu_memb_flavor.update_synchronize_rcu();
		atomic_fetch_add_explicit(&periods, 1, memory_order_relaxed);
		while ((e = bma__engine_next(e)))
			release_magazines(e);
		release_slabs();
		atomic_fetch_sub_explicit(&sealed, found, memory_order_relaxed);
	}
	/* In this order: an end that is counted late would count for the next batch. */
	atomic_fetch_add_explicit(&batches, 1, memory_order_release);
	atomic_store_explicit(&in_period, false, memory_order_release);
	bma__os_futex_wake(&batches, INT32_MAX);
	return any;
}

static void *defer_main(void *unused)
{
	(void)unused;
	while (!bma__thread_stopping(&thread)) {
		bma__waker_look(&thread.waker);
		if (!run_batch() && !bma__thread_stopping(&thread))
			bma__waker_sleep(&thread.waker, NAP_IDLE);
	}
	return NULL;
}

/*
 * What waits now has been let go when a batch that began after now has ended: two ends suffice, the
 * first may be of one that had taken its share before.
 */
bool bma__defer_flush(void)
{
	uint32_t begun = atomic_load_explicit(&batches, memory_order_acquire);
	const struct timespec nap = {0, NAP_WAITER};

	while (bma__defer_pending()) {
		uint32_t seen = atomic_load_explicit(&batches, memory_order_acquire);

		if (seen - begun >= 2)
			return true;
		if (atomic_load_explicit(&frozen, memory_order_relaxed))
			return false;
		if (!bma__thread_running(&thread)) {
			if (run_batch())
				continue;
		}
		bma__waker_ask(&thread.waker);
		bma__os.futex_wait(&batches, seen, &nap);
	}
	return true;
}

int bma__defer_start(void)
{
	return bma__env.worker ? bma__thread_start(&thread, "bma-gp", defer_main) : 0;
}

void bma__defer_stop(void)
{
	bma__thread_stop(&thread);
}

uint64_t bma__defer_grace_periods(void)
{
	return atomic_load_explicit(&periods, memory_order_relaxed);
}

uint64_t bma__defer_bytes(void)
{
	return atomic_load_explicit(&dying_bytes, memory_order_relaxed);
}

bool bma__defer_frozen(void)
{
	return atomic_load_explicit(&frozen, memory_order_relaxed);
}

/*
 * Is a thread other than this one registered as a reader? liburcu has no call that tells, but its list of
 * readers is circular: of one that stands alone both neighbours are the head. So the forking thread
 * registers before the fork, unless it is, and the child looks: there the list stands still. It takes its
 * entry out by hand, because the lock of the list may be held by a thread that is not there.
 */
static void enter_registry(void)
{
	fork_guest = !URCU_TLS(urcu_memb_reader).registered;
	if (fork_guest)
		urcu_memb_flavor.register_thread();
}

static bool others_registered_child(void)
{
	struct urcu_reader *self = &URCU_TLS(urcu_memb_reader);
	bool others = self->node.next != self->node.prev;

	if (fork_guest) {
		cds_list_del(&self->node);
		self->registered = 0;
	}
	return others;
}

/*
 * In the child, readers registered by other threads are list entries in stacks that are free for reuse,
 * and a synchronize_rcu that was under way holds its locks for ever. In both cases no grace period may be
 * waited for there.
 */
void bma__defer_before_fork(uint64_t ns)
{
	uint64_t deadline = bma__os_now() + ns;
	bool idle = false;

	fork_holds = false;
	while (!fork_holds && bma__os_now() < deadline) {
		idle = false;
		fork_holds = atomic_compare_exchange_strong_explicit(
			&in_period, &idle, true, memory_order_acquire, memory_order_relaxed);
		if (!fork_holds)
			bma__os_sleep(20000);
	}
	enter_registry();
}

void bma__defer_after_fork_parent(void)
{
	if (fork_guest)
		urcu_memb_flavor.unregister_thread();
	if (fork_holds)
		atomic_store_explicit(&in_period, false, memory_order_release);
	bma__waker_ask(&thread.waker);
}

/* What the grace period that ran was for waits again. */
static void take_back(void)
{
	for (struct bma__engine *e = bma__engine_first_locked(); e; e = e->next) {
		while (e->waiting) {
			uint32_t index = e->waiting;
			uintptr_t word = bma__stack_word(e->class, index);

			e->waiting = bma__stack_next(e->class, index);
			bma__stack_push(&e->sealed, e->class, word);
		}
	}
	while (doomed) {
		struct bma__slab *slab = doomed;

		doomed = slab->next;
		slab->next = dying;
		dying = slab;
	}
}

void bma__defer_after_fork_child(void)
{
	if (!fork_holds)
		take_back();
	if (others_registered_child() || !fork_holds)
		atomic_store_explicit(&frozen, true, memory_order_relaxed);
	atomic_store_explicit(&in_period, false, memory_order_relaxed);
	bma__thread_forget(&thread);
}
