/* SPDX-License-Identifier: MIT */
/*
 * Deferring, see defer.h.
 * Ordering: MO-5, MO-6, MO-13, MO-14, MO-15, MO-20, MO-22, MO-24 (docs/memory-ordering.md).
 */
#include "cache.h"

#include <errno.h>
#include <stdio.h>

#define NAP_IDLE 1000000000u
#define NAP_WAITER 1000000u
/* So many sealed bytes begin a batch ... */
#define BATCH_BYTES ((uint64_t)2 << 20)
/*
 * ... and so many, if none ended within so many times what the last one took, between these bounds, in
 * nanoseconds. So objects come back while they are still in a CPU's cache where grace periods are short, and
 * grace periods take no more than a share of a CPU where they are long.
 */
#define BATCH_BYTES_EARLY ((uint64_t)256 << 10)
#define BATCH_SHARE 8u
#define BATCH_PERIOD_MIN 100000u
#define BATCH_PERIOD_MAX 1000000u

/* A refill that may sleep waits for a batch rather than carve when so much waits, for at most this long. */
#define HELP_BYTES ((uint64_t)4 << 20)
#define HELP_NS 2000000u

struct bma__lock bma__purge_lock = BMA__LOCK_INIT(BMA__RANK_PURGE);

static void raise_to(_Atomic uint64_t *most, uint64_t value)
{
	uint64_t seen = atomic_load_explicit(most, memory_order_relaxed);

	while (seen < value &&
	       !atomic_compare_exchange_weak_explicit(most, &seen, value, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

/* Should a batch begin now? */
static bool wanted(const struct bma__flavor *f)
{
	uint64_t bytes = atomic_load_explicit(&f->collecting, memory_order_relaxed);

	if (bytes >= BATCH_BYTES || atomic_load_explicit(&f->urgent, memory_order_relaxed) ||
	    atomic_load_explicit(&f->waiters, memory_order_relaxed))
		return true;
	return bytes >= BATCH_BYTES_EARLY &&
	       bma__os_now() - atomic_load_explicit(&f->ended, memory_order_relaxed) >=
		       atomic_load_explicit(&f->period, memory_order_relaxed);
}

void bma__defer_tell(struct bma__flavor *f)
{
	atomic_thread_fence(memory_order_seq_cst); /* pairs with that of may_rest() */
	if (!atomic_load_explicit(&f->watching, memory_order_relaxed) || wanted(f))
		bma__waker_ask(&f->thread.waker);
}

/* What waits when @n objects more do. */
struct waiting {
	uint64_t objects, bytes, mags;
};

/*
 * Count a magazine of @n objects, then push it. False: a handler forked before it was pushed, and the child counted without it.
 *
 * Invariant: what is sealed was counted before, in the generation that the counts are of. A fork before the last of them was
 * changed fails that change; one between that and the look at the generation is seen there; one after it fails the push,
 * because the child touches the stack.
 */
static bool push(struct bma__engine *e, uintptr_t word, uint64_t n, struct waiting *w)
{
	struct bma__flavor *f = e->flavor;
	uint32_t objects = bma__count_generation(&e->limbo),
		 bytes = bma__count_generation(&f->limbo_bytes),
		 mags = bma__count_generation(&f->mags);
	uint64_t head;

	if (!bma__count_change(&e->limbo, n, objects, &w->objects) ||
	    !bma__count_change(&f->limbo_bytes, n * e->geo.stride, bytes, &w->bytes) ||
	    !bma__count_change(&f->mags, 1, mags, &w->mags))
		return false;
	do {
		head = bma__stack_head(&e->sealed);
		if (bma__count_generation(&f->mags) != mags)
			return false;
	} while (!bma__stack_push_on(&e->sealed, e->class, word, head));
	return true;
}

static void note(struct bma__engine *e, uint64_t n, const struct waiting *w, bool heedless)
{
	struct bma__flavor *f = e->flavor;
	uint64_t most = atomic_load_explicit(&e->limbo_max, memory_order_relaxed);

	raise_to(&e->limbo_peak, w->objects);
	raise_to(&f->limbo_peak, w->bytes);
	atomic_fetch_add_explicit(&f->collecting, n * e->geo.stride, memory_order_relaxed);
	if (w->objects > most / 2)
		atomic_store_explicit(&f->urgent, true, memory_order_relaxed);
	if (heedless && w->objects > most)
		atomic_fetch_add_explicit(&e->limbo_overruns,
					  w->objects - most < n ? w->objects - most : n,
					  memory_order_relaxed);
}

void bma__defer_seal(struct bma__engine *e, uintptr_t word, uint32_t plane, bool heedless)
{
	uint64_t n = bma__mag_count(e->class, word);
	struct waiting w;

	*bma__mag_plane(bma__mag_base(e->class, word)) = plane;
	BMA__PROBE(gp_queue, e->name, e->id, n, e->geo.stride);
	while (!push(e, word, n, &w))
		;
	note(e, n, &w, heedless);
	bma__need_set(&e->flavor->sealed, e->id);
	bma__defer_tell(e->flavor);
}

void bma__defer_slab(struct bma__slab *slab)
{
	struct bma__flavor *f = ((struct bma__engine *)slab->owner)->flavor;

	bma__lock_take(&bma__purge_lock);
	slab->next = f->dying;
	f->dying = slab;
	atomic_fetch_add_explicit(&f->dying_bytes, bma__slab_bytes(slab), memory_order_relaxed);
	bma__lock_drop(&bma__purge_lock);
	bma__defer_tell(f);
}

bool bma__defer_pending(const struct bma__flavor *f)
{
	return atomic_load_explicit(&f->dying_bytes, memory_order_acquire) ||
	       bma__count_read(&f->mags);
}

/* Take all that waits; @found: magazines. Returns whether there was anything. */
static bool take_batch(struct bma__flavor *f, uint64_t *found)
{
	bool any;

	*found = 0;
	atomic_store_explicit(&f->collecting, 0, memory_order_relaxed);
	atomic_store_explicit(&f->urgent, false, memory_order_relaxed);
	bma__lock_take(&bma__purge_lock);
	f->doomed = f->dying;
	f->dying = NULL;
	any = f->doomed != NULL;
	bma__lock_drop(&bma__purge_lock);
	bma__need_for_each (&f->sealed, e) {
		uint32_t head;

		if (e->flavor != f)
			continue;
		bma__lock_take(&bma__purge_lock);
		head = bma__stack_take_all(&e->sealed);
		e->waiting = head;
		bma__lock_drop(&bma__purge_lock);
		if (head)
			bma__need_set(&f->batch, e->id);
		for (; head; head = bma__stack_next(e->class, head))
			++*found;
	}
	return any || *found;
}

/* A magazine whose grace period is over. */
static void let_go(struct bma__engine *e, struct bma__depot_batch *batch, uintptr_t word)
{
	/* First: what is pinned is not to be touched. */
	if (e->flags & BMA__CACHE_OWNED) {
		word = bma__owner_let_go(e, word);
		if (!bma__mag_count(e->class, word)) {
			bma__depot_put_empty(e, word);
			return;
		}
	}
	if (e->flags & BMA__CACHE_CHECKS)
		bma__debug_let_go(e, word);
	if (e->flags & BMA_CACHE_SAMPLE)
		bma__sample_let_go(e, word);
	if (e->flags & BMA_CACHE_DTOR_RECYCLE)
		bma__stack_push(&e->finish, e->class, word);
	else
		bma__depot_gather(e, batch, word);
}

/*
 * Those less than half full are merged: @open is one that fills, or 0. Returns the one that fills after @word
 * was dealt with.
 */
static uintptr_t merge(struct bma__engine *e, struct bma__depot_batch *batch, uintptr_t open,
		       uintptr_t word)
{
	if (bma__mag_count(e->class, word) >= (e->capacity + 1) / 2) {
		let_go(e, batch, word);
		return open;
	}
	if (!open)
		return word;
	while (bma__mag_count(e->class, word)) {
		if (bma__mag_count(e->class, open) == e->capacity) {
			let_go(e, batch, open);
			return word;
		}
		open += 8;
		*(void **)open = *(void **)word;
		word -= 8;
	}
	bma__depot_put_empty(e, word);
	return open;
}

void bma__defer_uncount(struct bma__engine *e, uint64_t n)
{
	bma__count_lower(&e->flavor->limbo_bytes, n * e->geo.stride);
	bma__count_lower(&e->limbo, n);
}

static void release_magazines(struct bma__engine *e)
{
	struct bma__depot_batch batch = {0};
	uint64_t n = 0;
	uintptr_t open = 0;

	bma__engine_begin(e);
	bma__lock_take(&bma__purge_lock);
	while (e->waiting) {
		uintptr_t word = bma__stack_word(e->class, e->waiting);

		e->waiting = bma__stack_next(e->class, e->waiting);
		n += bma__mag_count(e->class, word);
		open = merge(e, &batch, open, word);
	}
	if (open)
		let_go(e, &batch, open);
	if (batch.n)
		bma__depot_return(e, &e->depot[bma__topo_node_now()], &batch);
	bma__lock_drop(&bma__purge_lock);
	if (e->flags & BMA_CACHE_DTOR_RECYCLE)
		bma__worker_look(e);
	else
		bma__defer_uncount(e, n);
	bma__depot_watch(e);
	bma__engine_end(e);
}

/*
 * Counted when they are gone: who waits for that looks at the count alone. The pages of large ones are given back before, with no lock held that
 * others wait for, and with the slab in the list, where a child of fork finds it.
 */
static void release_slabs(struct bma__flavor *f)
{
	struct bma__slab *slab;

	while ((slab = f->doomed)) {
		uint64_t bytes = bma__slab_bytes(slab);

		bma__large_empty(slab);
		bma__lock_take(&bma__purge_lock);
		f->doomed = slab->next;
		bma__finish_slab_later(slab);
		atomic_fetch_sub_explicit(&f->dying_bytes, bytes, memory_order_release);
		bma__lock_drop(&bma__purge_lock);
	}
}

static void synchronize(struct bma__flavor *f)
{
	uint64_t begun = bma__os_now(), took;

	BMA__PROBE(gp_start, f->rcu.name);
	atomic_store_explicit(&f->since, begun, memory_order_relaxed);
	bma__rcu_synchronize(&f->rcu);
	atomic_store_explicit(&f->since, 0, memory_order_relaxed);
	took = bma__os_now() - begun;
	raise_to(&f->longest, took);
	atomic_fetch_add_explicit(&f->periods, 1, memory_order_relaxed);
	BMA__PROBE(gp_done, f->rcu.name, took);
}

/* After a batch: when the next one may begin early. */
static void set_period(struct bma__flavor *f, uint64_t begun)
{
	uint64_t now = bma__os_now(), period = (now - begun) * BATCH_SHARE;

	if (period < BATCH_PERIOD_MIN)
		period = BATCH_PERIOD_MIN;
	if (period > BATCH_PERIOD_MAX)
		period = BATCH_PERIOD_MAX;
	atomic_store_explicit(&f->period, period, memory_order_relaxed);
	atomic_store_explicit(&f->ended, now, memory_order_relaxed);
}

/* One batch, if nobody else is at it. Returns false then, or if there was nothing. */
static bool run_batch(struct bma__flavor *f)
{
	uint32_t generation;
	uint64_t found, begun;
	bool idle = false, any;
	sigset_t was;

	/* No handler but in synchronize(): it may fork, and in the child what waits is counted anew, and waits again. */
	bma__signals_block(&was);
	if (atomic_load_explicit(&f->frozen, memory_order_relaxed) ||
	    !atomic_compare_exchange_strong_explicit(&f->in_period, &idle, true,
						     memory_order_acquire, memory_order_relaxed)) {
		bma__signals_restore(&was);
		return false;
	}
	generation = bma__ticket_generation();
	begun = bma__os_now();
	any = take_batch(f, &found);
	if (any) {
		bma__signals_restore(&was);
		synchronize(f);
		bma__signals_block(&was);
	}
	if (any && generation == bma__ticket_generation()) {
		bma__need_for_each (&f->batch, e) {
			if (e->flavor == f)
				release_magazines(e);
		}
		release_slabs(f);
		bma__count_lower(&f->mags, found);
		set_period(f, begun);
	}
	/* In this order: an end that is counted late would count for the next batch. */
	atomic_fetch_add_explicit(&f->batches, 1, memory_order_release);
	atomic_store_explicit(&f->in_period, false, memory_order_release);
	bma__os_futex_wake(&f->batches, INT32_MAX);
	bma__signals_restore(&was);
	return any;
}

/* Nothing waits and nothing fills, and who changes that will ask. */
static bool may_rest(struct bma__flavor *f)
{
	atomic_store_explicit(&f->watching, false, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (!bma__defer_pending(f) && !bma__need_any(&f->filling))
		return true;
	atomic_store_explicit(&f->watching, true, memory_order_relaxed);
	return false;
}

/* Seal what fills and run what waits when it is time. Returns how long the thread may sleep. */
static uint64_t look(struct bma__flavor *f, uint64_t *due)
{
	uint64_t now = bma__os_now();
	bool ran = false;

	if (atomic_load_explicit(&f->frozen, memory_order_relaxed)) {
		atomic_store_explicit(&f->watching, true, memory_order_relaxed);
		return NAP_IDLE;
	}
	if (*due && now >= *due) {
		bma__limbo_flush(f);
		*due = 0;
		ran = run_batch(f);
	} else if (wanted(f)) {
		ran = run_batch(f);
	}
	if (may_rest(f)) {
		*due = 0;
		return NAP_IDLE;
	}
	now = bma__os_now();
	if (!*due)
		*due = now + bma__env.flush_ns;
	if (wanted(f))
		return ran ? 0 : NAP_WAITER; /* a fork, or a waiter, is at it */
	return now >= *due ? 0 : *due - now;
}

static void *defer_main(void *thread)
{
	struct bma__flavor *f =
		(struct bma__flavor *)((char *)thread - offsetof(struct bma__flavor, thread));
	uint64_t due = 0;

	bma__os_prompt();
	while (!bma__thread_stopping(&f->thread)) {
		uint64_t nap;

		bma__waker_look(&f->thread.waker);
		nap = look(f, &due);
		if (nap && !bma__thread_stopping(&f->thread))
			bma__waker_sleep(&f->thread.waker, nap);
	}
	return NULL;
}

/* Until @ends batches have ended, or nothing waits, or it is @deadline. */
static int wait_until(struct bma__flavor *f, uint32_t ends, uint64_t deadline)
{
	uint32_t begun = atomic_load_explicit(&f->batches, memory_order_acquire);
	const struct timespec nap = {0, NAP_WAITER};

	while (bma__defer_pending(f)) {
		uint32_t seen = atomic_load_explicit(&f->batches, memory_order_acquire);

		if (seen - begun >= ends)
			return 0;
		if (atomic_load_explicit(&f->frozen, memory_order_relaxed) ||
		    bma__os_now() >= deadline)
			return -ETIMEDOUT;
		if (!bma__thread_running(&f->thread) && deadline == UINT64_MAX && run_batch(f))
			continue;
		bma__waker_ask(&f->thread.waker);
		bma__os.futex_wait(&f->batches, seen, &nap);
	}
	return 0;
}

static int wait_counted(struct bma__flavor *f, uint32_t ends, uint64_t deadline)
{
	uint32_t n;
	int rc;

	atomic_fetch_add_explicit(&f->waiters, 1, memory_order_seq_cst);
	rc = wait_until(f, ends, deadline);
	/* In a child of fork it was forgotten. */
	n = atomic_load_explicit(&f->waiters, memory_order_relaxed);
	while (n && !atomic_compare_exchange_weak_explicit(
			    &f->waiters, &n, n - 1, memory_order_relaxed, memory_order_relaxed))
		;
	return rc;
}

/*
 * What waits now has been let go when a batch that began after now has ended: two ends suffice, the
 * first may be of one that had taken its share before.
 */
int bma__defer_wait(struct bma__flavor *f)
{
	return wait_counted(f, 2, UINT64_MAX);
}

int bma__defer_wait_one(struct bma__flavor *f)
{
	return wait_counted(f, 1, UINT64_MAX);
}

/*
 * Not for longer than that: the caller may hold a lock that a reader wants inside its section, and then the grace
 * period ends only after he went on. For the same reason he does not run it himself.
 */
bool bma__defer_help(struct bma__engine *e)
{
	struct bma__flavor *f = e->flavor;
	uint64_t limbo = bma__count_read(&e->limbo);

	if (limbo * e->geo.stride < HELP_BYTES || !bma__thread_running(&f->thread) ||
	    bma__rcu_reading(&f->rcu))
		return false;
	return !wait_counted(f, 1, bma__os_now() + HELP_NS);
}

void bma__defer_help_slabs(struct bma__engine *e)
{
	struct bma__flavor *f = e->flavor;

	if (atomic_load_explicit(&f->dying_bytes, memory_order_acquire) &&
	    bma__thread_running(&f->thread) && !bma__rcu_reading(&f->rcu))
		wait_counted(f, 2, bma__os_now() + HELP_NS);
}

int bma__defer_start(struct bma__flavor *f)
{
	char name[16]; /* of a thread: no longer */

	if (!bma__env.worker)
		return 0;
	snprintf(name, sizeof name, "bma-gp-%.8s", f->rcu.name);
	return bma__thread_start(&f->thread, name, defer_main);
}

/* Objects on a chain. */
static uint64_t objects(const struct bma__engine *e, uint32_t index, uint64_t *mags)
{
	uint64_t n = 0;

	for (; index; index = bma__stack_next(e->class, index), ++*mags)
		n += bma__mag_count(e->class, bma__stack_word(e->class, index));
	return n;
}

void bma__defer_recount(struct bma__engine *e)
{
	uint64_t n, mags = 0, finish = 0;

	while (e->waiting) {
		uintptr_t word = bma__stack_word(e->class, e->waiting);

		e->waiting = bma__stack_next(e->class, e->waiting);
		bma__stack_push(&e->sealed, e->class, word);
	}
	bma__finish_recount(e);
	n = objects(e, (uint32_t)atomic_load_explicit(&e->sealed.head, memory_order_relaxed),
		    &mags);
	n += objects(e, (uint32_t)atomic_load_explicit(&e->finish.head, memory_order_relaxed),
		     &finish);
	if (mags)
		bma__need_set(&e->flavor->sealed, e->id);
	bma__count_anew(&e->limbo, n, bma__ticket_generation());
	bma__count_raise(&e->flavor->limbo_bytes, n * e->geo.stride);
	bma__count_raise(&e->flavor->mags, mags);
	/* Of this thread, too, should a handler have interrupted one: it looks, and counts anew. */
	bma__stack_touch(&e->sealed);
}
