/* SPDX-License-Identifier: MIT */
/* Reclaim, see reclaim.h. Ordering: MO-5, MO-11 (docs/memory-ordering.md). */
#include "cache.h"

#include <errno.h>

/* A thread that is preempted in mid-call gets the CPU back within this, or is not waited for by a
 * trim. */
#define TRIM_PATIENCE 100000000u
#define TICKET_SLICE 10000000u
#define TICKET_NAP 1000000u
#define FENCE_TRIES 3
#define DEPOT_MOST (1u << 20)

static void drain_depot(struct bma__engine *e, uint32_t node)
{
	struct bma__depot *d = &e->depot[node];
	uintptr_t word;

	/* Bounded, for others may put as fast as this takes. */
	for (uint32_t i = 0; i < DEPOT_MOST && (word = bma__depot_remove(e, d)); i++)
		bma__drain_magazine(e, node, word);
}

/*
 * The drain lock, with no call that has a magazine in hand. It is not held for long while one is waited for:
 * that call may be stuck in a constructor, and fork and trim want the lock.
 */
static void lock_quiet(struct bma__engine *e, uint64_t patience)
{
	uint64_t begun = bma__os_now();

	for (;;) {
		bma__lock_take(&bma__drain_lock);
		if (bma__ticket_wait(e, patience < TICKET_SLICE ? patience : TICKET_SLICE) ||
		    bma__os_now() - begun >= patience)
			return;
		bma__lock_drop(&bma__drain_lock);
		bma__os_sleep(TICKET_NAP);
	}
}

int bma__reclaim_parked(struct bma__engine *e)
{
	struct bma__ticket ticket = bma__ticket_open(e);
	int rc = bma__park_collect(e);

	bma__ticket_close(&ticket);
	return rc;
}

int bma__reclaim_drain(struct bma__engine *e, uint64_t patience, uint64_t *away)
{
	struct bma__mag_stack taken = {0};
	int rc = 0;

	bma__engine_begin(e);
	atomic_fetch_add_explicit(&e->drained, 1, memory_order_release);
	atomic_store_explicit(&e->watched, false, memory_order_relaxed);
	bma__quarantine_flush(e);
	bma__reclaim_parked(e);
	bma__limbo_flush(e->flavor);
	lock_quiet(e, patience);
	for (int tries = 0; tries < FENCE_TRIES; tries++) {
		rc = bma__drain_slots(e, NULL, &taken);
		if (!rc)
			break;
	}
	bma__drain_stack(e, &taken);
	for (uint32_t node = 0; node < bma__topo.nodes; node++) {
		drain_depot(e, node);
		atomic_fetch_add_explicit(&e->depot[node].empty_gets,
					  bma__drain_stack(e, &e->depot[node].empty),
					  memory_order_relaxed);
	}
	bma__lock_drop(&bma__drain_lock);
	bma__engine_shrink(e, 0);
	bma__engine_end(e);
	if (away) {
		bma__lock_take(&e->lock);
		*away = e->objs_carved - e->objs_home;
		bma__lock_drop(&e->lock);
	}
	return rc;
}

/* Objects go from parked, or slots, to limbo to the depot: asked in this order, none slips by. */
static bool pending(struct bma__engine *e)
{
	bool parked = bma__park_count(e) != 0;
	bool filling = bma__count_read(&e->limbo_slots) != 0;

	return parked | filling | (bma__count_read(&e->limbo) != 0);
}

/* What came back from limbo, or from a call that was in progress, is drained in another round. */
static int reclaim(struct bma__engine *e, uint64_t *live, bool reading)
{
	for (;;) {
		bool waits = pending(e);
		int rc = bma__reclaim_drain(e, UINT64_MAX, live);

		if (rc || !*live || !(waits | pending(e)))
			return rc;
		rc = reading ? -EDEADLK : bma__defer_wait(e->flavor);
		if (rc)
			return rc;
		bma__finish_wait(e, false);
	}
}

static void begin(struct bma__engine *e)
{
	atomic_store_explicit(&e->destroyer, bma__cpu_thread(), memory_order_relaxed);
	atomic_store_explicit(&e->dying, true, memory_order_seq_cst);
}

static int reclaim_waiting(struct bma__engine *e, uint64_t *live, bool reading)
{
	int rc;

	begin(e);
	rc = reclaim(e, live, reading);
	if (!rc && !*live && e->dtor) {
		rc = bma__defer_wait(e->flavor);
		if (!rc)
			bma__finish_wait(e, true);
	}
	return rc;
}

int bma__reclaim_engine(struct bma__engine *e, uint64_t *live)
{
	const struct bma__rcu *rcu = &e->flavor->rcu;
	bool online;
	bool reading = bma__rcu_begin_wait(rcu, &online) != 0;
	int rc = -EDEADLK;

	/* In a read section a cache may be destroyed of which nothing waits. */
	if (!reading || !(pending(e) || e->dtor))
		rc = reclaim_waiting(e, live, reading);
	bma__rcu_end_wait(rcu, online);
	return rc;
}

void bma__reclaim_undo(struct bma__engine *e)
{
	atomic_store_explicit(&e->dying, false, memory_order_seq_cst);
}

void bma__reclaim_after_fork(struct bma__engine *e)
{
	if (!e->orphan &&
	    atomic_load_explicit(&e->destroyer, memory_order_relaxed) != bma__cpu_thread())
		bma__reclaim_undo(e);
}

/*
 * With everything at home, is nobody still in a call that brought it there? A call that frees an object opens its ticket before the
 * object can be reached, so once nothing is away each of them stands in a ticket or has left.
 */
static bool nobody_inside(struct bma__engine *e, uint64_t patience)
{
	bool none;

	bma__lock_take(&bma__drain_lock);
	none = bma__ticket_wait(e, patience);
	bma__lock_drop(&bma__drain_lock);
	return none;
}

bool bma__reclaim_orphan(struct bma__engine *e, uint64_t patience)
{
	uint64_t away = 0;
	bool waits;

	if (atomic_load_explicit(&e->reserves, memory_order_acquire))
		return false;
	bma__finish_run(e);
	waits = pending(e);
	return !bma__reclaim_drain(e, patience, &away) && !away && !waits && !pending(e) &&
	       !atomic_load_explicit(&e->dying_slabs, memory_order_acquire) &&
	       nobody_inside(e, patience);
}

static int barrier(struct bma__engine *e)
{
	int rc = bma__limbo_flush_fully(e);

	if (!rc && bma__reclaim_parked(e) < 0)
		rc = -ENOMEM;
	if (rc)
		return rc;
	/* What had been taken out of slots and bitmaps before is sealed after this. */
	lock_quiet(e, UINT64_MAX);
	bma__lock_drop(&bma__drain_lock);
	rc = bma__defer_wait(e->flavor);
	if (!rc)
		bma__finish_wait(e, false);
	return rc;
}

int bma__reclaim_barrier(struct bma__engine *e)
{
	bool online;
	int rc = bma__rcu_begin_wait(&e->flavor->rcu, &online);

	if (!rc)
		rc = barrier(e);
	bma__rcu_end_wait(&e->flavor->rcu, online);
	return rc;
}

void bma__reclaim_unused(struct bma__engine *e)
{
	begin(e);
	lock_quiet(e, UINT64_MAX);
	for (uint32_t node = 0; node < bma__topo.nodes; node++) {
		drain_depot(e, node);
		bma__drain_stack(e, &e->depot[node].empty);
	}
	bma__lock_drop(&bma__drain_lock);
	bma__engine_destruct(e);
	bma__engine_shrink(e, 0);
}

void bma__reclaim_all(void)
{
	struct bma__engine *e = NULL;

	while ((e = bma__engine_next(e)))
		bma__reclaim_drain(e, TRIM_PATIENCE, NULL);
	bma__mag_trim();
}
