/* SPDX-License-Identifier: MIT */
/* Changing who pays, see payer.h. Ordering: MO-32 (docs/memory-ordering.md). */
#include "cache.h"

#include <errno.h>

#define PATIENCE 1000000000u

static void relink(struct bma__record *r, struct bma__group *from, struct bma__group *to)
{
	bma__record_unlink(r, from);
	bma__record_link(r, to);
	bma__record_set_group(r, to);
}

/* Under the lock. */
static int move_locked(struct bma__record *r, struct bma__group *to, struct bma__group **refused)
{
	struct bma__group *from = atomic_load_explicit(&r->group, memory_order_relaxed);
	int rc;

	if (from == to)
		return 0;
	/* So that no more moves than there is; if the fence fails, that is all. */
	bma__stock_drain_one(r);
	if (!bma__stock_close(r, bma__os_now() + PATIENCE))
		return -EBUSY;
	rc = bma__group_move(from, to, atomic_load_explicit(&r->charged, memory_order_relaxed),
			     refused);
	if (!rc) {
		relink(r, from, to);
		bma__record_leave_origin(r);
	}
	bma__stock_open(r);
	if (!rc)
		bma__shared_reap(from);
	return rc;
}

static int move_once(struct bma__record *r, const struct bma_group *handle,
		     struct bma_group **refused)
{
	struct bma__group *to, *by = NULL;
	int rc = -ESTALE;

	bma__tree_lock();
	to = bma__group_online(handle);
	if (to)
		rc = move_locked(r, to, &by);
	*refused = by ? bma__group_handle(by) : NULL;
	bma__tree_unlock();
	return rc;
}

int bma__payer_move(struct bma__record *r, const struct bma_group *to)
{
	/* Nobody is made a victim of that. */
	struct bma__pressure p = {.bytes = atomic_load_explicit(&r->charged, memory_order_relaxed),
				  .victims = UINT32_MAX};
	struct bma_group *refused;
	int rc;

	do {
		rc = move_once(r, to, &refused);
	} while (rc == -EDQUOT && bma__pressure_relieve(&p, refused));
	return rc;
}

static void open_until(struct bma__group *g, const struct bma__record *end)
{
	for (struct bma__record *r = g->records; r != end; r = r->next)
		bma__stock_open(r);
}

static bool close_all(struct bma__group *g)
{
	uint64_t deadline = bma__os_now() + PATIENCE;

	for (struct bma__record *r = g->records; r; r = r->next) {
		if (!bma__stock_close(r, deadline)) {
			open_until(g, r);
			return false;
		}
	}
	return true;
}

/*
 * What is charged to @g is charged to its parent already; there it is its own from now on. If @g keeps its name it keeps a list of whose bytes these were.
 */
static void reparent(struct bma__group *g)
{
	bool keeps = g->flags & BMA_GROUP_OFFLINE;
	struct bma__record *r;

	while ((r = g->records)) {
		relink(r, g, g->parent);
		if (keeps && !r->origin) {
			r->origin = g;
			r->origin_next = g->origins;
			g->origins = r;
		}
		bma__stock_open(r);
	}
	atomic_store_explicit(&g->usage, 0, memory_order_relaxed);
}

static int destroy_locked(struct bma__group *g, struct bma__pin_object **freed)
{
	if (!g)
		return -ESTALE;
	if (!g->parent)
		return -EINVAL;
	if (g->children || !close_all(g))
		return -EBUSY;
	bma__pin_end(g, freed);
	reparent(g);
	bma__group_unlink(g);
	if (g->flags & BMA_GROUP_OFFLINE && !g->origins)
		bma__group_free(g);
	return 0;
}

int bma__payer_destroy(const struct bma_group *group, struct bma__pin_object **freed)
{
	int rc;

	bma__tree_lock();
	rc = destroy_locked(bma__group_online(group), freed);
	bma__tree_unlock();
	if (!rc)
		bma__hook_wait_ended(group);
	return rc;
}
