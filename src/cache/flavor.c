/* SPDX-License-Identifier: MIT */
/* Flavours in use, see flavor.h. */
#include "cache.h"

#include <errno.h>

#define NAP_FORK 20000u

struct bma__flavor bma__flavors[BMA__FLAVORS_MAX];
static _Atomic uint32_t number;

uint32_t bma__flavor_number(void)
{
	return atomic_load_explicit(&number, memory_order_acquire);
}

static struct bma__flavor *find(const struct rcu_flavor_struct *table)
{
	bma__flavor_for_each (f) {
		if (f->rcu.table == table)
			return f;
	}
	return NULL;
}

struct bma__flavor *bma__flavor_get(const struct rcu_flavor_struct *table)
{
	struct bma__flavor *f;
	struct bma__rcu rcu;
	uint32_t n;

	if (!table)
		table = bma__rcu_default();
	f = find(table);
	if (f)
		return f;
	bma__rcu_init(&rcu, table); /* asks the dynamic linker: with no lock held */
	bma__lock_take(&bma__registry_lock);
	f = find(table);
	n = bma__flavor_number();
	if (!f && n < BMA__FLAVORS_MAX) {
		f = &bma__flavors[n];
		f->rcu = rcu;
		atomic_store_explicit(&number, n + 1, memory_order_release);
	}
	bma__lock_drop(&bma__registry_lock);
	return f;
}

int bma__flavor_start_all(void)
{
	int rc = 0;

	bma__flavor_for_each (f) {
		int one = bma__defer_start(f);

		rc = rc ? rc : one;
	}
	return rc;
}

void bma__flavor_stop_all(void)
{
	bma__flavor_for_each (f)
		bma__thread_stop(&f->thread);
}

bool bma__flavor_pending(void)
{
	bma__flavor_for_each (f) {
		if (bma__defer_pending(f))
			return true;
	}
	return false;
}

bool bma__flavor_begin_wait_all(struct bma__flavor_wait *w)
{
	bool any = false;

	w->n = bma__flavor_number();
	for (uint32_t i = 0; i < w->n; i++) {
		w->reading[i] = bma__rcu_begin_wait(&bma__flavors[i].rcu, &w->online[i]) != 0;
		any |= w->reading[i];
	}
	return any;
}

int bma__flavor_wait_all(const struct bma__flavor_wait *w)
{
	int rc = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		int one = 0;

		if (bma__defer_pending(&bma__flavors[i]))
			one = w->reading[i] ? -EDEADLK : bma__defer_wait(&bma__flavors[i]);
		rc = rc ? rc : one;
	}
	return rc;
}

void bma__flavor_end_wait_all(const struct bma__flavor_wait *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		bma__rcu_end_wait(&bma__flavors[i].rcu, w->online[i]);
}

void bma__flavor_readers(void **readers)
{
	for (uint32_t i = 0; i < BMA__FLAVORS_MAX; i++)
		readers[i] = NULL;
	bma__flavor_for_each (f)
		readers[f - bma__flavors] = bma__rcu_reader(&f->rcu);
}

/*
 * In the child, readers registered by other threads are list entries in stacks that are free for reuse,
 * and a synchronize_rcu that was under way holds its locks for ever. In both cases no grace period may be
 * waited for there.
 */
void bma__flavor_before_fork(uint64_t ns, void *const *readers)
{
	uint64_t deadline = bma__os_now() + ns;

	bma__flavor_for_each (f) {
		f->fork_holds = false;
		for (;;) {
			bool idle = false;

			f->fork_holds = atomic_compare_exchange_strong_explicit(
				&f->in_period, &idle, true, memory_order_acquire,
				memory_order_relaxed);
			if (f->fork_holds || bma__os_now() >= deadline)
				break;
			bma__os_sleep(NAP_FORK);
		}
		bma__rcu_before_fork(&f->rcu, readers[f - bma__flavors]);
	}
}

void bma__flavor_after_fork_parent(void)
{
	bma__flavor_for_each (f) {
		bma__rcu_after_fork_parent(&f->rcu);
		if (f->fork_holds)
			atomic_store_explicit(&f->in_period, false, memory_order_release);
		bma__waker_ask(&f->thread.waker);
	}
}

/* What the grace period that ran was for waits again. */
static void take_back_slabs(struct bma__flavor *f)
{
	while (f->doomed) {
		struct bma__slab *slab = f->doomed;

		f->doomed = slab->next;
		slab->next = f->dying;
		f->dying = slab;
	}
}

void bma__flavor_after_fork_child(void)
{
	bma__flavor_for_each (f) {
		bool possible = bma__rcu_after_fork_child(&f->rcu);

		take_back_slabs(f);
		bma__count_anew(&f->mags, 0, bma__ticket_generation());
		bma__count_anew(&f->limbo_bytes, 0, bma__ticket_generation());
		atomic_store_explicit(&f->waiters, 0, memory_order_relaxed);
		atomic_store_explicit(&f->watching, false, memory_order_relaxed);
		atomic_store_explicit(&f->since, 0, memory_order_relaxed);
		/*
		 * With bp a batch that had begun was waiting for the lock that the program took before the
		 * fork, as liburcu asks, and gives up after it.
		 */
		if (!possible || (!f->fork_holds && f->rcu.readers != BMA__RCU_READERS_ARENA))
			atomic_store_explicit(&f->frozen, true, memory_order_relaxed);
		atomic_store_explicit(&f->in_period, false, memory_order_relaxed);
		bma__thread_forget(&f->thread);
	}
	for (struct bma__engine *e = bma__engine_first_locked(); e; e = e->next)
		bma__defer_recount(e);
}
