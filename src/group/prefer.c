/* SPDX-License-Identifier: MIT */
/*
 * Victims that were named in advance. A name leaves its list when it is taken to be tried, or when its group goes; the descriptor is told when the last has been tried or has left. Written to
 * under the lock, as thresholds are (notify.c).
 */
#include "group.h"
#include "tell.h"

#include <errno.h>

#define MOST 64

struct bma__prefer {
	int fd;
	uint32_t n;
	uint32_t trying; /* taken, and being tried */
	struct bma_group *victims[MOST];
};

static uint32_t lists; /* [lock: group] how many there are */

/* An empty list is told of once, for it ends with that. */
static void look(struct bma__oom_state *s)
{
	struct bma__prefer *p = s->prefer;

	if (!p || p->n || p->trying)
		return;
	if (p->fd >= 0)
		bma__tell(p->fd, 1);
	bma__prefer_end(s);
}

static void take_out(struct bma__prefer *p, uint32_t i)
{
	for (p->n--; i < p->n; i++)
		p->victims[i] = p->victims[i + 1];
}

void bma__prefer_end(struct bma__oom_state *s)
{
	struct bma__prefer *p = s->prefer;

	if (!p)
		return;
	s->prefer = NULL;
	lists--;
	bma__meta_free(p, sizeof *p);
}

static void leave(struct bma__prefer *p, const struct bma_group *handle)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->victims[i] == handle)
			take_out(p, i--);
	}
}

void bma__prefer_leave(const struct bma__group *g)
{
	const struct bma_group *handle = bma__group_handle(g);

	if (!lists)
		return;
	/* Lists that name it are of groups above it. */
	for (g = g->parent; g; g = g->parent) {
		if (!g->oom || !g->oom->prefer)
			continue;
		leave(g->oom->prefer, handle);
		look(g->oom);
	}
}

static int check(const struct bma__group *g, struct bma_group *const *victims, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct bma__group *v = bma__group_online(victims[i]);

		if (!v)
			return -ESTALE;
		if (!bma__group_below(v, g))
			return -EINVAL;
		for (size_t k = 0; k < i; k++) {
			if (victims[k] == victims[i])
				return -EINVAL;
		}
	}
	return 0;
}

int bma__prefer_set(struct bma_group *handle, struct bma_group *const *victims, size_t n, int fd)
{
	int rc = fd < 0 || !n ? 0 : bma__tell_check(fd);
	struct bma__prefer *p = NULL;
	struct bma__group *g;

	if (n > MOST || (n && !victims) || fd < -1)
		return -EINVAL;
	if (rc)
		return rc;
	if (n && !(p = bma__meta_alloc(sizeof *p)))
		return -ENOMEM;
	bma__tree_lock();
	rc = bma__oom_online(handle, &g);
	if (!rc)
		rc = check(g, victims, n);
	if (!rc)
		bma__prefer_end(g->oom);
	if (!rc && p) {
		p->fd = fd;
		for (; p->n < n; p->n++)
			p->victims[p->n] = victims[p->n];
		g->oom->prefer = p;
		lists++;
	}
	bma__tree_unlock();
	if (rc && p)
		bma__meta_free(p, sizeof *p);
	return rc;
}

struct bma_group *bma__prefer_take(struct bma_oom *oom, struct bma_group **list)
{
	struct bma_group *victim = NULL;
	const struct bma__group *g;

	bma__tree_lock();
	for (g = bma__group_of(oom->group); g && !victim; g = g->parent) {
		struct bma__prefer *p = g->oom ? g->oom->prefer : NULL;

		for (uint32_t i = 0; p && i < p->n && !victim; i++) {
			if (!bma__victim_find(oom, p->victims[i]))
				continue;
			victim = p->victims[i];
			take_out(p, i);
			p->trying++;
			*list = bma__group_handle(g);
		}
	}
	bma__tree_unlock();
	return victim;
}

void bma__prefer_tried(const struct bma_group *list)
{
	const struct bma__group *g;

	bma__tree_lock();
	g = bma__group_of(list);
	if (g && g->oom && g->oom->prefer) {
		/* Unless the list is another one by now. */
		g->oom->prefer->trying -= g->oom->prefer->trying != 0;
		look(g->oom);
	}
	bma__tree_unlock();
}

void bma__prefer_forget(struct bma__oom_state *s)
{
	if (s->prefer)
		s->prefer->trying = 0;
}
