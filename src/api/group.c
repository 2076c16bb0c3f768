/* SPDX-License-Identifier: MIT */
/*
 * The public calls on groups: making, finding, limits, whose turn it is to pay.
 * Ordering: MO-36 (docs/memory-ordering.md).
 */
#include "api.h"

#include <errno.h>
#include <string.h>

#define KNOWN_FLAGS BMA_GROUP_OFFLINE

static _Thread_local struct bma_group *active __attribute__((tls_model("initial-exec")));

static int refuse(const char *call, const char *field)
{
	bma__log_verbose("%s: %s", call, field);
	return -EINVAL;
}

struct bma_group *bma_group_root(void)
{
	if (!bma__init())
		return bma__group_handle(bma__group_root);
	errno = ENOMEM;
	return NULL;
}

int bma__group_check_name(const char *call, const char *name)
{
	size_t length = strnlen(name, BMA__GROUP_NAME_MAX);

	if (!length)
		return refuse(call, "name is empty");
	if (length == BMA__GROUP_NAME_MAX)
		return refuse(call, "name is longer than 31 bytes");
	if (memchr(name, '/', length))
		return refuse(call, "name has a '/'");
	return 0;
}

static int check(const struct bma_group_attr *a)
{
	if (a->attr_size != sizeof *a) {
		bma__log_verbose("bma_group_create: attr_size %zu, this library knows %zu",
				 a->attr_size, sizeof *a);
		return -E2BIG;
	}
	if (a->flags & ~(uint64_t)KNOWN_FLAGS)
		return refuse("bma_group_create", "flags has an unknown bit");
	if (a->max && a->max < a->min)
		return refuse("bma_group_create", "max is below min");
	return a->name ? bma__group_check_name("bma_group_create", a->name) : 0;
}

struct bma_group *bma_group_create(struct bma_group *parent, const struct bma_group_attr *attr)
{
	static const struct bma_group_attr plain = {.attr_size = sizeof plain};
	const struct bma_group_attr *a = attr ? attr : &plain;
	struct bma_group *handle = NULL;
	struct bma__group *p, *g = NULL;
	int rc = bma__init();

	if (!rc)
		rc = check(a);
	if (rc)
		goto out;
	parent = parent ? parent : active;
	bma__tree_lock();
	p = parent ? bma__group_of(parent) : bma__group_root;
	rc = -ESTALE;
	if (p)
		g = bma__group_make(p, a, &rc);
	if (g)
		handle = bma__group_handle(g);
	bma__tree_unlock();
out:
	if (!handle)
		errno = -rc;
	return handle;
}

/* @excess: how much more is charged than it allows. [lock: group] */
static int set(struct bma__group *g, enum bma_group_limit limit, uint64_t bytes, uint64_t *excess)
{
	_Atomic uint64_t *const word[] = {&g->max, &g->high, &g->low, &g->min};
	uint64_t usage;

	if (limit == BMA_GROUP_MAX && bytes < atomic_load_explicit(&g->min, memory_order_relaxed))
		return refuse("bma_group_set", "max is below min");
	if (limit == BMA_GROUP_MIN && bytes > atomic_load_explicit(&g->max, memory_order_relaxed))
		return refuse("bma_group_set", "min is above max");
	/* Against charges in progress, see group/charge.c. */
	atomic_store_explicit(word[limit], bytes, memory_order_seq_cst);
	if (limit == BMA_GROUP_MAX)
		bma__stock_set_caps(g);
	usage = bma__group_current(g);
	if ((limit == BMA_GROUP_MAX || limit == BMA_GROUP_HIGH) && usage > bytes) {
		bma__group_want(g, BMA__GROUP_WORK_RECLAIM);
		*excess = usage - bytes;
	}
	return 0;
}

int bma_group_set(struct bma_group *group, enum bma_group_limit limit, uint64_t bytes)
{
	struct bma__group *g;
	uint64_t excess = 0;
	int rc = -ESTALE;

	if ((unsigned int)limit > BMA_GROUP_MIN)
		return refuse("bma_group_set", "an unknown limit");
	bma__tree_lock();
	g = bma__group_online(group);
	if (g)
		rc = set(g, limit, bytes, &excess);
	bma__tree_unlock();
	if (excess) {
		bma__init_threads();
		bma__pressure_reclaim(group, excess);
	}
	return rc;
}

int bma_group_reset_peak(struct bma_group *group)
{
	return bma__group_reset_peak(group) ? 0 : -ESTALE;
}

struct bma_group *bma_group_enter(struct bma_group *group)
{
	struct bma_group *previous = active;

	active = group;
	return previous;
}

void bma_group_leave(struct bma_group *previous)
{
	active = previous;
}

struct bma_group *bma_group_active(void)
{
	return active;
}

/* @path without its first '/'. [lock: group] */
static struct bma__group *walk(const char *path, int *rc)
{
	struct bma__group *g = bma__group_root;
	bool more = *path;

	while (more) {
		size_t length = strcspn(path, "/");

		if (!length) {
			*rc = refuse("bma_group_find", "a name in the path is empty");
			return NULL;
		}
		/* Also behind a name that is not there the path is to be one. */
		g = g ? bma__group_child(g, path, length) : NULL;
		more = path[length];
		path += length + more;
	}
	*rc = -ENOENT;
	return g;
}

/* [lock: group] */
static struct bma__group *find_shared(const char *name, int *rc)
{
	size_t length = strlen(name);

	*rc = length && !strchr(name, '/') ? -ENOENT : refuse("bma_group_find", "no path");
	return bma__group_child(NULL, name, length);
}

struct bma_group *bma_group_find(const char *path)
{
	struct bma_group *handle = NULL;
	struct bma__group *g;
	int rc = bma__init();

	if (!rc && (!path || (*path != '/' && *path != '@')))
		rc = refuse("bma_group_find", "path does not begin with '/' or '@'");
	if (!rc) {
		bma__tree_lock();
		g = *path == '/' ? walk(path + 1, &rc) : find_shared(path + 1, &rc);
		if (g)
			handle = bma__group_handle(g);
		bma__tree_unlock();
	}
	if (!handle)
		errno = -rc;
	return handle;
}

int bma_group_path(struct bma_group *group, char *path, size_t size)
{
	const struct bma__group *g;
	int rc = -ESTALE;

	bma__tree_lock();
	g = bma__group_of(group);
	if (g)
		rc = (int)bma__group_path(g, path, path ? size : 0);
	bma__tree_unlock();
	return rc;
}
