/* SPDX-License-Identifier: MIT */
/*
 * Thresholds. A charge only compares what is charged with a window in which no threshold lies, see struct bma__group, and outside it leaves the most and
 * the least that it saw. Who serves the group says what was crossed since, and makes the window anew. All under the lock, writing as well: after the
 * end of a notification nobody writes to its descriptor.
 *
 * Ordering: MO-36 (docs/memory-ordering.md).
 */
#include "group.h"
#include "tell.h"

#include <errno.h>

#define MOST 16

struct bma__notify {
	struct bma__notify *next;
	uint64_t bytes;
	int fd;
	bool above; /* what is charged is not below @bytes, as far as the descriptor was told */
};

void bma__notify_crossed(struct bma__group *g, uint64_t now)
{
	uint64_t top = atomic_load_explicit(&g->notify_top, memory_order_relaxed);
	uint64_t bottom = atomic_load_explicit(&g->notify_bottom, memory_order_relaxed);

	while (now > top &&
	       !atomic_compare_exchange_weak_explicit(&g->notify_top, &top, now,
						      memory_order_relaxed, memory_order_relaxed))
		;
	while (now < bottom &&
	       !atomic_compare_exchange_weak_explicit(&g->notify_bottom, &bottom, now,
						      memory_order_relaxed, memory_order_relaxed))
		;
	bma__group_want(g, BMA__GROUP_WORK_NOTIFY);
}

static void look(struct bma__notify *n, uint64_t usage, uint64_t top, uint64_t bottom)
{
	bool above = usage >= n->bytes;

	if (above != n->above)
		bma__tell(n->fd, 1);
	else if (above ? bottom < n->bytes : top >= n->bytes)
		bma__tell(n->fd, 2); /* there, and back */
	n->above = above;
}

static void serve(struct bma__group *g)
{
	uint64_t top = atomic_exchange_explicit(&g->notify_top, 0, memory_order_relaxed);
	uint64_t bottom =
		atomic_exchange_explicit(&g->notify_bottom, UINT64_MAX, memory_order_relaxed);
	uint64_t usage = bma__group_current(g);
	uint64_t low = 0, high = UINT64_MAX;

	for (struct bma__notify *n = g->notify; n; n = n->next) {
		look(n, usage, top, bottom);
		if (n->above)
			low = n->bytes > low ? n->bytes : low;
		else
			high = n->bytes < high ? n->bytes : high;
	}
	atomic_store_explicit(&g->notify_low, low, memory_order_seq_cst);
	atomic_store_explicit(&g->notify_high, high, memory_order_seq_cst);
	/* A charge made meanwhile was compared with the old window. */
	usage = bma__group_current(g);
	if (g->notify && (usage < low || usage >= high))
		bma__notify_crossed(g, usage);
}

void bma__notify_run(struct bma_group *handle)
{
	struct bma__group *g;

	bma__tree_lock();
	g = bma__group_of(handle);
	if (g)
		serve(g);
	bma__tree_unlock();
}

static int add(struct bma__group *g, struct bma__notify *fresh)
{
	uint32_t there = 0;

	if (!g)
		return -ESTALE;
	for (const struct bma__notify *n = g->notify; n; n = n->next)
		there++;
	if (there == MOST)
		return -ENOSPC;
	serve(g); /* what others saw before is not news of this one */
	fresh->above = bma__group_current(g) >= fresh->bytes;
	fresh->next = g->notify;
	g->notify = fresh;
	serve(g);
	return 0;
}

int bma__notify_add(struct bma_group *handle, uint64_t bytes, int fd)
{
	int rc = bma__tell_check(fd);
	struct bma__notify *n;

	if (!rc && !bytes)
		rc = -EINVAL;
	if (rc)
		return rc;
	n = bma__meta_alloc(sizeof *n);
	if (!n)
		return -ENOMEM;
	*n = (struct bma__notify){.bytes = bytes, .fd = fd};
	bma__tree_lock();
	rc = add(bma__group_online(handle), n);
	bma__tree_unlock();
	if (rc)
		bma__meta_free(n, sizeof *n);
	return rc;
}

/* Those to @fd; -1: all. How many there were. */
static uint32_t drop(struct bma__group *g, int fd)
{
	struct bma__notify **link = &g->notify;
	uint32_t n = 0;

	while (*link) {
		struct bma__notify *old = *link;

		if (fd >= 0 && old->fd != fd) {
			link = &old->next;
			continue;
		}
		*link = old->next;
		bma__meta_free(old, sizeof *old);
		n++;
	}
	return n;
}

int bma__notify_remove(struct bma_group *handle, int fd)
{
	struct bma__group *g;
	int rc = -ESTALE;

	if (fd < 0)
		return -ENOENT;
	bma__tree_lock();
	g = bma__group_of(handle);
	if (g) {
		serve(g);
		rc = drop(g, fd) ? 0 : -ENOENT;
		serve(g);
	}
	bma__tree_unlock();
	return rc;
}

void bma__notify_end(struct bma__group *g)
{
	drop(g, -1);
	serve(g);
}
