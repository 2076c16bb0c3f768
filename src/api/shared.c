/* SPDX-License-Identifier: MIT */
/* The public calls on shared groups: making, attaching, borrowing, pins. */
#include "api.h"

#include <errno.h>
#include <string.h>

/* How often what a limit refuses is tried again, each time after something was reclaimed. */
#define TRIES 3

static int refuse(const char *call, const char *field)
{
	bma__log_verbose("%s: %s", call, field);
	return -EINVAL;
}

static int check(const struct bma_shared_attr *a)
{
	if (a->attr_size != sizeof *a) {
		bma__log_verbose("bma_shared_create: attr_size %zu, this library knows %zu",
				 a->attr_size, sizeof *a);
		return -E2BIG;
	}
	return a->name ? bma__group_check_name("bma_shared_create", a->name) : 0;
}

struct bma_group *bma_shared_create(const struct bma_shared_attr *attr)
{
	static const struct bma_shared_attr plain = {.attr_size = sizeof plain};
	const struct bma_shared_attr *a = attr ? attr : &plain;
	struct bma_group *handle = NULL;
	struct bma__group *g;
	int rc = bma__init();

	if (!rc)
		rc = check(a);
	if (!rc) {
		const struct bma_group_attr ga = {.attr_size = sizeof ga,
						  .name = a->name,
						  .flags = BMA__GROUP_SHARED,
						  .max = a->max};

		bma__tree_lock();
		g = bma__group_make(NULL, &ga, &rc);
		if (g)
			handle = bma__group_handle(g);
		bma__tree_unlock();
	}
	if (!handle)
		errno = -rc;
	return handle;
}

int bma_shared_destroy(struct bma_group *shared)
{
	return shared ? bma__shared_destroy(shared) : 0;
}

/* May it be tried again? Unlike an allocation it is no event where that finds nothing: nobody is short of memory. */
static bool made_room(struct bma_group *refused, uint64_t bytes)
{
	if (!refused)
		return false;
	bma__init_threads();
	return bma__pressure_reclaim(refused, bytes);
}

int bma_shared_attach(struct bma_group *shared, struct bma_group *group,
		      enum bma_shared_policy policy, uint64_t borrow_max)
{
	struct bma_group_stats s;
	struct bma_group *refused;
	int rc, tries = 0;

	if ((unsigned int)policy > BMA_SHARED_ALL)
		return refuse("bma_shared_attach", "an unknown policy");
	do {
		rc = bma__shared_attach(shared, group, policy, borrow_max, &refused);
	} while (rc == -EDQUOT && ++tries < TRIES && !bma_group_stat(shared, &s, sizeof s) &&
		 made_room(refused, s.current));
	return rc;
}

int bma_shared_detach(struct bma_group *shared, struct bma_group *group)
{
	return bma__shared_detach(shared, group);
}

int bma_shared_borrow(struct bma_group *shared, struct bma_group *group, uint64_t bytes)
{
	struct bma_group *refused;
	int rc, tries = 0;

	do {
		rc = bma__shared_borrow(shared, group, bytes, &refused);
	} while (bma__unlikely(rc == -EDQUOT) && ++tries < TRIES && made_room(refused, bytes));
	return rc;
}

int bma_shared_unborrow(struct bma_group *shared, struct bma_group *group, uint64_t bytes)
{
	return bma__shared_unborrow(shared, group, bytes);
}

/* What @shared pays for @obj. */
static int bytes_of(const struct bma_group *shared, const void *obj, uint64_t *bytes)
{
	const struct bma__record *r;

	if (!bma__group_of(shared))
		return -ESTALE;
	/* By the handle alone: without the lock the group may go meanwhile. Whether it is a shared one the call says that follows. */
	r = bma__pin_payer(obj, bytes);
	return r && atomic_load_explicit(&r->handle, memory_order_relaxed) == shared ? 0 : -EINVAL;
}

int bma_shared_borrow_object(struct bma_group *shared, struct bma_group *group, const void *obj)
{
	uint64_t bytes;
	int rc = bytes_of(shared, obj, &bytes);

	return rc ? rc : bma_shared_borrow(shared, group, bytes);
}

int bma_shared_unborrow_object(struct bma_group *shared, struct bma_group *group, const void *obj)
{
	uint64_t bytes;
	int rc = bytes_of(shared, obj, &bytes);

	return rc ? rc : bma_shared_unborrow(shared, group, bytes);
}

int bma_shared_stat(struct bma_group *shared, struct bma_group *group,
		    struct bma_shared_stats *stats, size_t size)
{
	struct bma_shared_stats s;
	int rc;

	if (!stats || !size)
		return -EINVAL;
	rc = bma__shared_stat(shared, group, &s);
	if (!rc)
		memcpy(stats, &s, size < sizeof s ? size : sizeof s);
	return rc;
}

struct bma_pin_owner *bma_pin_owner_open(struct bma_group *group)
{
	struct bma_pin_owner *o;
	int rc;

	o = bma__pin_open(group, &rc);
	if (!o)
		errno = -rc;
	return o;
}

size_t bma_pin_owner_close(struct bma_pin_owner *owner)
{
	struct bma__pin_object *freed = NULL;
	size_t n = bma__pin_close(owner, &freed);

	bma__owned_free_pinned(freed);
	return n;
}

int bma_pin_set_max(struct bma_group *group, uint64_t bytes)
{
	return bma__shared_set_pin_max(group, bytes);
}

int bma_shared_pin(struct bma_pin_owner *owner, void *obj)
{
	return bma__pin(owner, obj);
}

int bma_shared_unpin(struct bma_pin_owner *owner, void *obj)
{
	struct bma__pin_object *freed = NULL;
	int rc = bma__unpin(owner, obj, &freed);

	bma__owned_free_pinned(freed);
	return rc;
}
