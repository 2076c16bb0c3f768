/* SPDX-License-Identifier: MIT */
/*
 * How long callers waited, and triggers on that, after those of the kernel's pressure stall information.
 *
 * A trigger counts in two windows, the running one and the one before. What was waited within the last window's length is what is in the running one and of
 * the other the part that still lies within, as if it had been spread evenly. All under the lock, writing as well: see notify.c.
 */
#include "group.h"
#include "tell.h"

#include <errno.h>

#define MOST 8
#define WINDOW_LEAST ((uint64_t)100000000)
#define WINDOW_MOST ((uint64_t)10000000000)

struct bma__trigger {
	struct bma__trigger *next;
	uint64_t stall_ns, window_ns;
	uint64_t begun; /* the running window */
	uint64_t latest;
	uint64_t now, before;
	uint64_t told; /* when; 0: never */
	int fd;
};

static void turn(struct bma__trigger *t, uint64_t now)
{
	uint64_t elapsed = now - t->begun;

	if (elapsed < t->window_ns)
		return;
	t->before = elapsed < 2 * t->window_ns ? t->now : 0;
	t->now = 0;
	t->begun = elapsed < 2 * t->window_ns ? t->begun + t->window_ns : now;
}

static void look(struct bma__trigger *t, uint64_t ns, uint64_t now)
{
	double left;

	/* Another thread's later moment may have come first. */
	if (now < t->latest)
		now = t->latest;
	t->latest = now;
	turn(t, now);
	t->now += ns < t->window_ns ? ns : t->window_ns;
	left = 1 - (double)(now - t->begun) / (double)t->window_ns;
	if ((double)t->now + left * (double)t->before >= (double)t->stall_ns &&
	    (!t->told || now - t->told >= t->window_ns)) {
		t->told = now;
		bma__tell(t->fd, 1);
	}
}

void bma__stall_add(const struct bma_group *handle, uint64_t ns, uint64_t now)
{
	struct bma__group *g;

	bma__tree_lock();
	for (g = bma__group_of(handle); g; g = g->parent) {
		atomic_fetch_add_explicit(&g->stall_ns, ns, memory_order_relaxed);
		for (struct bma__trigger *t = g->oom ? g->oom->triggers : NULL; t; t = t->next)
			look(t, ns, now);
	}
	bma__tree_unlock();
}

static int add(const struct bma_group *handle, struct bma__trigger *fresh)
{
	struct bma__group *g;
	uint32_t there = 0;
	int rc = bma__oom_online(handle, &g);

	if (rc)
		return rc;
	for (const struct bma__trigger *t = g->oom->triggers; t; t = t->next)
		there++;
	if (there == MOST)
		return -ENOSPC;
	fresh->next = g->oom->triggers;
	g->oom->triggers = fresh;
	return 0;
}

int bma__trigger_add(struct bma_group *handle, uint64_t stall_ns, uint64_t window_ns, int fd)
{
	int rc = bma__tell_check(fd);
	struct bma__trigger *t;

	if (!rc && (window_ns < WINDOW_LEAST || window_ns > WINDOW_MOST || !stall_ns ||
		    stall_ns > window_ns))
		rc = -EINVAL;
	if (rc)
		return rc;
	t = bma__meta_alloc(sizeof *t);
	if (!t)
		return -ENOMEM;
	*t = (struct bma__trigger){
		.stall_ns = stall_ns, .window_ns = window_ns, .begun = bma__os_now(), .fd = fd};
	t->latest = t->begun;
	bma__tree_lock();
	rc = add(handle, t);
	bma__tree_unlock();
	if (rc)
		bma__meta_free(t, sizeof *t);
	return rc;
}

/* Those to @fd; -1: all. How many there were. */
static uint32_t drop(struct bma__oom_state *s, int fd)
{
	struct bma__trigger **link = &s->triggers;
	uint32_t n = 0;

	while (*link) {
		struct bma__trigger *old = *link;

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

int bma__trigger_remove(const struct bma_group *handle, int fd)
{
	const struct bma__group *g;
	int rc = -ESTALE;

	bma__tree_lock();
	g = bma__group_of(handle);
	if (g)
		rc = fd >= 0 && g->oom && drop(g->oom, fd) ? 0 : -ENOENT;
	bma__tree_unlock();
	return rc;
}

void bma__trigger_end(struct bma__oom_state *s)
{
	drop(s, -1);
}
