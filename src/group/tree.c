/* SPDX-License-Identifier: MIT */
/* The tree: names, making, taking out, walking. All under the lock. */
#include "place.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define BUCKETS ((size_t)16384)

struct bma__lock bma__group_lock = BMA__LOCK_INIT(BMA__RANK_GROUP);
struct bma__group *bma__group_root;
static sigset_t before; /* [lock: group] signals that its holder had blocked */
struct bma__group *bma__shared_first;
static struct bma__group **buckets; /* [lock: group] */
static uint64_t number;		    /* [lock: group] of groups without a name of their own */

void bma__tree_lock(void)
{
	sigset_t was;

	bma__signals_block(&was);
	bma__lock_take(&bma__group_lock);
	before = was;
}

void bma__tree_unlock(void)
{
	sigset_t was = before;

	bma__lock_drop(&bma__group_lock);
	bma__signals_restore(&was);
}

static struct bma__group **bucket(const struct bma__group *parent, const char *name, size_t length)
{
	uint64_t hash = 14695981039346656037u ^ (uintptr_t)parent >> BMA__GROUP_SHIFT;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)name[i]) * 1099511628211u;
	return &buckets[(hash ^ hash >> 32) % BUCKETS];
}

struct bma__group *bma__group_child(const struct bma__group *parent, const char *name,
				    size_t length)
{
	struct bma__group *g;

	if (length >= BMA__GROUP_NAME_MAX)
		return NULL;
	g = *bucket(parent, name, length);
	while (g && (g->parent != parent || memcmp(g->name, name, length) || g->name[length]))
		g = g->hash_next;
	return g;
}

/* Where the list of brothers begins. */
static struct bma__group **brothers(struct bma__group *parent)
{
	return parent ? &parent->child : &bma__shared_first;
}

static void link_group(struct bma__group *g, struct bma__group *parent)
{
	struct bma__group **b = bucket(parent, g->name, strlen(g->name));

	g->hash_next = *b;
	*b = g;
	g->prev = NULL;
	g->next = *brothers(parent);
	if (g->next)
		g->next->prev = g;
	*brothers(parent) = g;
	if (parent)
		parent->children++;
}

static void take_out(struct bma__group *g)
{
	struct bma__group **link = bucket(g->parent, g->name, strlen(g->name));

	while (*link != g)
		link = &(*link)->hash_next;
	*link = g->hash_next;
	if (g->prev)
		g->prev->next = g->next;
	else
		*brothers(g->parent) = g->next;
	if (g->next)
		g->next->prev = g->prev;
	if (g->parent)
		g->parent->children--;
}

static void set(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* All but the name and the links; the place was another group's. */
static void clear(struct bma__group *g, struct bma__group *parent)
{
	g->parent = parent;
	g->depth = parent ? parent->depth + 1 : 0;
	set(&g->usage, 0);
	set(&g->borrowed, 0);
	set(&g->peak, 0);
	set(&g->notify_low, 0);
	set(&g->notify_high, UINT64_MAX);
	set(&g->notify_top, 0);
	set(&g->notify_bottom, UINT64_MAX);
	atomic_store_explicit(&g->work, 0, memory_order_relaxed);
	for (int i = 0; i < BMA_GROUP_EVENTS; i++) {
		set(&g->events[i], 0);
		set(&g->local[i], 0);
	}
	for (int i = 0; i < BMA_GROUP_CAUSES; i++)
		set(&g->fails[i], 0);
	set(&g->throttled_ns, 0);
	set(&g->uncharged, 0);
	set(&g->stall_ns, 0);
	g->effective_low = g->effective_min = 0;
	g->child = g->next = g->prev = NULL;
	g->children = g->payers = 0;
	g->records = g->origins = NULL;
	g->shrinkers = NULL;
	g->notify = NULL;
	g->sharing = NULL;
	g->oom = NULL;
	g->created_ns = bma__os_now();
}

static void configure(struct bma__group *g, const struct bma_group_attr *a)
{
	g->flags = a->flags;
	set(&g->max, a->max ? a->max : BMA_GROUP_NO_LIMIT);
	set(&g->high, a->high ? a->high : BMA_GROUP_NO_LIMIT);
	set(&g->low, a->low);
	set(&g->min, a->min);
}

/* The name that it is to have, in @name; 0 or -EEXIST. */
static int choose(const struct bma__group *parent, const char *wanted, char *name)
{
	size_t length;

	if (wanted) {
		length = strlen(wanted);
		memcpy(name, wanted, length + 1);
		return bma__group_child(parent, name, length) ? -EEXIST : 0;
	}
	do {
		length =
			(size_t)snprintf(name, BMA__GROUP_NAME_MAX, "%s-%llu",
					 parent ? "group" : "shared", (unsigned long long)++number);
	} while (bma__group_child(parent, name, length));
	return 0;
}

static int may_have(const struct bma__group *parent)
{
	if (bma__group_is_shared(parent))
		return -EINVAL;
	if (atomic_load_explicit(&parent->state, memory_order_relaxed) != BMA__GROUP_ONLINE)
		return -ESTALE;
	return parent->depth == BMA_GROUP_DEPTH_MAX ? -ELOOP : 0;
}

struct bma__group *bma__group_make(struct bma__group *parent, const struct bma_group_attr *attr,
				   int *rc)
{
	char name[BMA__GROUP_NAME_MAX] = "";
	struct bma__group *g;

	if (parent && (*rc = may_have(parent)))
		return NULL;
	*rc = choose(parent, attr->name, name);
	if (*rc)
		return NULL;
	*rc = -ENOSPC;
	g = bma__place_take();
	if (!g)
		return NULL;
	clear(g, parent);
	memcpy(g->name, name, sizeof name);
	configure(g, attr);
	link_group(g, parent);
	atomic_store_explicit(&g->state, BMA__GROUP_ONLINE, memory_order_release);
	*rc = 0;
	return g;
}

int bma__group_init(void)
{
	static const struct bma_group_attr plain = {.attr_size = sizeof plain};
	struct bma__group *g;
	void *more;
	int rc = 0;

	bma__tree_lock();
	if (bma__group_root)
		goto out;
	rc = bma__place_init(BUCKETS * sizeof *buckets, &more);
	if (rc)
		goto out;
	buckets = more;
	g = bma__place_take();
	clear(g, NULL);
	configure(g, &plain);
	atomic_store_explicit(&g->state, BMA__GROUP_ONLINE, memory_order_release);
	bma__group_root = g;
out:
	bma__tree_unlock();
	return rc;
}

void bma__group_unlink(struct bma__group *g)
{
	bma__assert(g->parent && !g->child);
	bma__shrinkers_end(g);
	bma__notify_end(g);
	bma__shared_end(g);
	bma__oom_end(g);
	atomic_store_explicit(&g->state, BMA__GROUP_GONE, memory_order_relaxed);
	set(&g->max, BMA_GROUP_NO_LIMIT);
	set(&g->high, BMA_GROUP_NO_LIMIT);
	set(&g->low, 0);
	set(&g->min, 0);
	if (!(g->flags & BMA_GROUP_OFFLINE))
		bma__group_free(g);
}

void bma__group_free(struct bma__group *g)
{
	uint32_t state = atomic_load_explicit(&g->state, memory_order_relaxed);

	if (state == BMA__GROUP_FREE)
		return;
	bma__assert(state == BMA__GROUP_GONE && !g->origins && !g->child);
	take_out(g);
	bma__sharing_free(g);
	bma__oom_free(g);
	bma__place_give(g);
}
