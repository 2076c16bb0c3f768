/* SPDX-License-Identifier: MIT */
/*
 * Shared groups; part of group.h.
 *
 * A shared group is a struct bma__group without a parent, in no tree: whoever charges it finds nothing above it. It stands in a list of its own, and its name among those without
 * a parent.
 *
 * A share says what a group and all below it use of a shared one. There is one for each attachment, and one for each group above it, up to the root, as long as
 * an attachment is below. Equations, for each share:
 *	sum      = its own borrow + sums of the shares right below it
 *	counted  = the same of those attachments whose policy counts borrows; all, attached, pinned alike
 *	added    = the charge of the shared group where all is not 0, else counted, but at most that charge: as of the last time that somebody looked
 *	borrowed = the sum of added over the shares of a group
 * What is shown: a borrow is at most the charge, also where the charge fell since; then more is remembered, for who borrowed it gives it back some day.
 *
 * Limits: a group is charged for usage + borrowed. Who charges adds to usage and then reads borrowed and max; who borrows adds to borrowed, at all levels, and then reads usage and max; with a
 * sequentially consistent fence between. So of two that fit only alone at least one sees the other.
 *
 * End: a shared group that was let go is gone when no record and no share names it. A group that is destroyed loses its shares.
 */
#ifndef BMA_GROUP_SHARED_H
#define BMA_GROUP_SHARED_H

#include "pair.h"

#include <bma/shared.h>

/* Internal flag of a group: it is a shared one. */
#define BMA__GROUP_SHARED ((uint64_t)1 << 63)

/* All [lock: group]. */
struct bma__share {
	struct bma__pair pair; /* of the shared group and the group */
	struct bma__group *shared, *group;
	struct bma__share *up;			    /* of the group above; NULL: it is the root's */
	struct bma__share *next, *prev;		    /* of the shared group */
	struct bma__share *group_next, *group_prev; /* of the group */
	uint64_t borrow, borrow_max;		    /* of the attachment */
	uint64_t sum, counted, added;		    /* see above */
	uint64_t more;				    /* what was added last, modulo 2^64 */
	uint64_t pinned;			    /* bytes, here and below */
	uint64_t pins;				    /* objects that the attachment has pinned */
	uint32_t attached, all;			    /* attachments here and below */
	bool here;				    /* the group itself is attached */
	enum bma_shared_policy policy;
};

/* What hangs from a group that has to do with it, from the first time until its end. [lock: group] */
struct bma__sharing {
	struct bma__share *shares; /* of a shared group, or of a group */
	uint64_t
		seen; /* a shared group's charge that all of its shares follow; UINT64_MAX: they differ */
	uint64_t pinned, pin_max; /* bytes, of it and all below */
	struct bma_pin_owner *owners;
};

/* The list of shared groups, by next. [lock: group] */
extern struct bma__group *bma__shared_first;

static inline bool bma__group_is_shared(const struct bma__group *g)
{
	return g->flags & BMA__GROUP_SHARED;
}

/* As the public calls; @refused: whose limit it was, or NULL. May sleep. */
int bma__shared_attach(const struct bma_group *shared, const struct bma_group *group,
		       enum bma_shared_policy policy, uint64_t borrow_max,
		       struct bma_group **refused);
int bma__shared_detach(const struct bma_group *shared, const struct bma_group *group);
int bma__shared_borrow(const struct bma_group *shared, const struct bma_group *group,
		       uint64_t bytes, struct bma_group **refused);
int bma__shared_unborrow(const struct bma_group *shared, const struct bma_group *group,
			 uint64_t bytes);
int bma__shared_stat(const struct bma_group *shared, const struct bma_group *group,
		     struct bma_shared_stats *stats);
int bma__shared_destroy(const struct bma_group *shared);
int bma__shared_set_pin_max(const struct bma_group *group, uint64_t bytes);

/* What a share adds follows the charge of its shared group: all that @g, no shared one, has. Under the lock. */
void bma__shared_refresh(struct bma__group *g);
/* The same of all that @shared has, if its charge is another than when that was done last. Under the lock. */
void bma__shared_look(struct bma__group *shared);
/* The same of all shared groups whose charge has changed; and those that were let go and are done go. May sleep. */
void bma__shared_pass(void);
/* A record or a share of @g is gone: so may be @g. Nothing where it is no shared group that was let go. Under the lock. */
void bma__shared_reap(struct bma__group *g);
/* @g is being destroyed: it is attached to nothing any more. Under the lock; nothing is pinned. */
void bma__shared_end(struct bma__group *g);

/* What hangs from @g, made if need be; NULL: no memory. Under the lock. May sleep. */
struct bma__sharing *bma__sharing_of(struct bma__group *g);
void bma__sharing_free(struct bma__group *g);
/* The attachment of @group to @shared, or NULL. Under the lock. */
struct bma__share *bma__share_find(const struct bma__group *shared, const struct bma__group *group);
/* An object of @bytes is pinned by way of the attachment @s: 0, or -EDQUOT. Under the lock. */
int bma__share_pin(struct bma__share *s, uint64_t bytes);
void bma__share_unpin(struct bma__share *s, uint64_t bytes);

#endif /* BMA_GROUP_SHARED_H */
