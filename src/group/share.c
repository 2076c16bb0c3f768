/* SPDX-License-Identifier: MIT */
/* Shares, see shared.h: attaching, borrowing. Each change goes from the group up to the root, and is undone in the same order where a limit refuses it. */
#include "group.h"

#include <errno.h>

/* What no charge is. */
#define NEVER UINT64_MAX

static struct bma__pairs pairs; /* [lock: group] shares by shared group and group */

static uint64_t charge_of(const struct bma__group *shared)
{
	return atomic_load_explicit(&shared->usage, memory_order_relaxed);
}

static struct bma__share *find(const struct bma__group *shared, const struct bma__group *g)
{
	/* The first member. */
	return (struct bma__share *)(void *)bma__pair_find(&pairs, shared, g);
}

struct bma__share *bma__share_find(const struct bma__group *shared, const struct bma__group *g)
{
	struct bma__share *s = find(shared, g);

	return s && s->here ? s : NULL;
}

/* What it adds follows what it is made of. Returns by how much that is more, modulo 2^64. */
static uint64_t adjust(struct bma__share *s, uint64_t charge)
{
	uint64_t want = s->all || s->counted > charge ? charge : s->counted;
	uint64_t more = want - s->added;

	if (more)
		bma__group_lend(s->group, more);
	s->added = want;
	if (charge != s->shared->sharing->seen)
		s->shared->sharing->seen = NEVER;
	return more;
}

static void follow(struct bma__share *s, uint64_t charge)
{
	if (adjust(s, charge))
		bma__group_lend_settle(s->group);
}

void bma__shared_refresh(struct bma__group *g)
{
	for (struct bma__share *s = g->sharing ? g->sharing->shares : NULL; s; s = s->group_next)
		follow(s, charge_of(s->shared));
}

void bma__shared_look(struct bma__group *shared)
{
	struct bma__sharing *its = shared->sharing;
	uint64_t charge = charge_of(shared);

	if (!its || its->seen == charge)
		return;
	for (struct bma__share *s = its->shares; s; s = s->next)
		follow(s, charge);
	its->seen = charge;
}

static void unlink_share(struct bma__share *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		s->shared->sharing->shares = s->next;
	if (s->next)
		s->next->prev = s->prev;
	if (s->group_prev)
		s->group_prev->group_next = s->group_next;
	else
		s->group->sharing->shares = s->group_next;
	if (s->group_next)
		s->group_next->group_prev = s->group_prev;
	bma__pair_remove(&pairs, &s->pair);
	bma__meta_free(s, sizeof *s);
}

static struct bma__share *make(struct bma__group *shared, struct bma__group *g)
{
	struct bma__sharing *of = bma__sharing_of(shared), *its = bma__sharing_of(g);
	struct bma__share *s = of && its ? bma__meta_alloc(sizeof *s) : NULL;

	if (!s)
		return NULL;
	s->shared = shared;
	s->group = g;
	s->next = of->shares;
	if (s->next)
		s->next->prev = s;
	of->shares = s;
	s->group_next = its->shares;
	if (s->group_next)
		s->group_next->group_prev = s;
	its->shares = s;
	bma__pair_add(&pairs, &s->pair, shared, g);
	return s;
}

/* Those from @s up that stand for nothing. */
static void prune(struct bma__share *s)
{
	while (s) {
		struct bma__share *up = s->up;

		if (!s->attached)
			unlink_share(s);
		s = up;
	}
}

/* The shares of @g and all above; NULL: no memory. */
static struct bma__share *make_all(struct bma__group *shared, struct bma__group *g)
{
	struct bma__share *first = NULL, *below = NULL;

	for (; g; g = g->parent) {
		struct bma__share *s = find(shared, g);
		bool there = s;

		if (!s)
			s = make(shared, g);
		if (!s) {
			prune(first);
			return NULL;
		}
		if (below)
			below->up = s;
		first = first ? first : s;
		if (there)
			break;
		below = s;
	}
	return first;
}

/* What an attachment, or a borrow, changes at each level. */
struct change {
	uint64_t sum, counted; /* modulo 2^64 */
	uint32_t attached, all;
};

static void apply(struct bma__share *s, const struct change *c)
{
	s->sum += c->sum;
	s->counted += c->counted;
	s->attached += c->attached;
	s->all += c->all;
}

static const struct change *negative(const struct change *c, struct change *out)
{
	*out = (struct change){0 - c->sum, 0 - c->counted, 0 - c->attached, 0 - c->all};
	return out;
}

/* Was there more to add, by the last adjust()? No charge is so large that it is taken for less. */
static bool rose(const struct bma__share *s)
{
	return (int64_t)s->more > 0;
}

/* The lowest level at which it has become too much; NULL: it fits. */
static struct bma__share *overdrawn(struct bma__share *first)
{
	/* Either this sees a charge, or who makes it sees the borrow: see shared.h. */
	atomic_thread_fence(memory_order_seq_cst);
	for (struct bma__share *s = first; s; s = s->up) {
		if (rose(s) && !bma__group_lend_fits(s->group))
			return s;
	}
	return NULL;
}

static bool apply_all(struct bma__share *first, const struct change *c)
{
	uint64_t charge = charge_of(first->shared);
	bool any = false;

	for (struct bma__share *s = first; s; s = s->up) {
		apply(s, c);
		s->more = adjust(s, charge);
		any |= rose(s);
	}
	return any;
}

/* 0, or -EDQUOT with nothing changed. Limits at all levels first: what is refused leaves no trace in the levels below, as with charges. */
static int change(struct bma__share *first, const struct change *c, bool strict,
		  struct bma_group **refused)
{
	struct bma__share *by = NULL;
	struct change back;

	if (apply_all(first, c) && strict)
		by = overdrawn(first);
	if (by) {
		apply_all(first, negative(c, &back));
		bma__group_lend_refuse(by->group);
		*refused = bma__group_handle(by->group);
	}
	for (struct bma__share *s = first; s; s = s->up) {
		/* Where it was refused: what follows a charge that has grown stays. */
		if (by || s->more)
			bma__group_lend_settle(s->group);
	}
	return by ? -EDQUOT : 0;
}

static struct change of_borrow(const struct bma__share *s, uint64_t bytes)
{
	return (struct change){.sum = bytes,
			       .counted = s->policy == BMA_SHARED_BORROWED ? bytes : 0};
}

static bool online(const struct bma__group *g)
{
	return g && atomic_load_explicit(&g->state, memory_order_relaxed) == BMA__GROUP_ONLINE;
}

/* The two groups of a call. */
static int look(const struct bma_group *shared, const struct bma_group *group,
		struct bma__group **s, struct bma__group **g)
{
	*s = bma__group_of(shared);
	*g = bma__group_of(group);
	if ((*s && !bma__group_is_shared(*s)) || (*g && bma__group_is_shared(*g)))
		return -EINVAL;
	return *s && online(*g) ? 0 : -ESTALE;
}

static int look_attached(const struct bma_group *shared, const struct bma_group *group,
			 struct bma__share **share)
{
	struct bma__group *s, *g;
	int rc = look(shared, group, &s, &g);

	if (rc)
		return rc;
	*share = bma__share_find(s, g);
	return *share ? 0 : -ENOENT;
}

static int attach(struct bma__group *shared, struct bma__group *g, enum bma_shared_policy policy,
		  uint64_t borrow_max, struct bma_group **refused)
{
	const struct change c = {.attached = 1, .all = policy == BMA_SHARED_ALL};
	struct bma__share *s;
	int rc;

	if (!online(shared))
		return -ESTALE;
	if (bma__share_find(shared, g))
		return -EEXIST;
	s = make_all(shared, g);
	if (!s)
		return -ENOMEM;
	rc = change(s, &c, true, refused);
	if (rc) {
		prune(s);
		return rc;
	}
	s->here = true;
	s->policy = policy;
	s->borrow_max = borrow_max;
	return 0;
}

int bma__shared_attach(const struct bma_group *shared, const struct bma_group *group,
		       enum bma_shared_policy policy, uint64_t borrow_max,
		       struct bma_group **refused)
{
	struct bma__group *s, *g;
	int rc;

	*refused = NULL;
	bma__tree_lock();
	rc = look(shared, group, &s, &g);
	if (!rc)
		rc = attach(s, g, policy, borrow_max, refused);
	bma__tree_unlock();
	return rc;
}

static void detach(struct bma__share *s)
{
	struct bma__group *shared = s->shared;
	struct change c = of_borrow(s, s->borrow), back;

	bma__assert(!s->pins);
	c.attached = 1;
	c.all = s->policy == BMA_SHARED_ALL;
	change(s, negative(&c, &back), false, NULL);
	s->here = false;
	s->borrow = 0;
	prune(s);
	bma__shared_reap(shared);
}

int bma__shared_detach(const struct bma_group *shared, const struct bma_group *group)
{
	struct bma__share *s;
	int rc;

	bma__tree_lock();
	rc = look_attached(shared, group, &s);
	if (!rc && s->pins)
		rc = -EBUSY;
	if (!rc)
		detach(s);
	bma__tree_unlock();
	return rc;
}

void bma__shared_end(struct bma__group *g)
{
	/* Nothing is below it: what it has are attachments. */
	while (g->sharing && g->sharing->shares)
		detach(g->sharing->shares);
}

static int borrow(struct bma__share *s, uint64_t bytes, struct bma_group **refused)
{
	const struct change c = of_borrow(s, bytes);
	uint64_t sum;
	int rc;

	if (__builtin_add_overflow(s->borrow, bytes, &sum) || sum > charge_of(s->shared))
		return -ERANGE;
	if (sum > s->borrow_max)
		return -EDQUOT;
	rc = change(s, &c, true, refused);
	if (!rc)
		s->borrow = sum;
	return rc;
}

/*
 * These two do not block signals: it would cost more than all they do. A handler that forks in one leaves a child in which the lists are whole, and goes on with what it was at, here as there.
 */
int bma__shared_borrow(const struct bma_group *shared, const struct bma_group *group,
		       uint64_t bytes, struct bma_group **refused)
{
	struct bma__share *s;
	int rc;

	*refused = NULL;
	bma__lock_take(&bma__group_lock);
	rc = look_attached(shared, group, &s);
	if (!rc)
		rc = borrow(s, bytes, refused);
	bma__lock_drop(&bma__group_lock);
	return rc;
}

int bma__shared_unborrow(const struct bma_group *shared, const struct bma_group *group,
			 uint64_t bytes)
{
	struct bma__share *s;
	int rc;

	bma__lock_take(&bma__group_lock);
	rc = look_attached(shared, group, &s);
	if (!rc && bytes > s->borrow)
		rc = -ERANGE;
	if (!rc) {
		struct change c = of_borrow(s, bytes), back;

		change(s, negative(&c, &back), false, NULL);
		s->borrow -= bytes;
	}
	bma__lock_drop(&bma__group_lock);
	return rc;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void figures(struct bma__share *s, struct bma_shared_stats *stats)
{
	uint64_t charge = charge_of(s->shared), most = 0;

	follow(s, charge);
	for (const struct bma__share *at = s->shared->sharing->shares; at; at = at->next) {
		if (at->borrow > most && bma__group_below(at->group, s->group))
			most = at->borrow;
	}
	*stats = (struct bma_shared_stats){.charge = charge,
					   .borrowed = least(s->borrow, charge),
					   .borrow_max = s->borrow_max,
					   .lower = least(most, charge),
					   .upper = least(s->sum, charge),
					   .pinned = s->pinned,
					   .policy = s->policy,
					   .attached = s->here};
}

int bma__shared_stat(const struct bma_group *shared, const struct bma_group *group,
		     struct bma_shared_stats *stats)
{
	struct bma__group *s, *g;
	struct bma__share *share;
	int rc;

	bma__tree_lock();
	rc = look(shared, group, &s, &g);
	share = rc ? NULL : find(s, g);
	if (share)
		figures(share, stats);
	else if (!rc)
		rc = -ENOENT;
	bma__tree_unlock();
	return rc;
}
