/* SPDX-License-Identifier: MIT */
/* Making groups and looking at them, for the tests of the tree. */
#ifndef BMA_UNIT_GROUP_H
#define BMA_UNIT_GROUP_H

#include "group/group.h"

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static inline struct bma_group *make_limited(struct bma_group *parent, const char *name,
					     uint64_t max)
{
	struct bma_group_attr a = {.attr_size = sizeof a, .name = name, .max = max};
	struct bma_group *g = bma_group_create(parent, &a);

	cr_assert_not_null(g, "%s: errno %d", name ? name : "", errno);
	return g;
}

static inline struct bma_group *make(struct bma_group *parent, const char *name)
{
	return make_limited(parent, name, 0);
}

static inline struct bma__group *in(struct bma_group *handle)
{
	struct bma__group *g = bma__group_of(handle);

	cr_assert_not_null(g);
	return g;
}

static inline struct bma_group_stats stat_of(struct bma_group *g)
{
	struct bma_group_stats s;

	cr_assert_eq(bma_group_stat(g, &s, sizeof s), 0);
	return s;
}

/* Take one away that nothing is charged to, as destroying does. */
static inline void take_away(struct bma_group *handle)
{
	bma__lock_take(&bma__group_lock);
	bma__group_unlink(in(handle));
	bma__lock_drop(&bma__group_lock);
}

static inline void free_offline(struct bma_group *handle)
{
	bma__lock_take(&bma__group_lock);
	bma__group_free(in(handle));
	bma__lock_drop(&bma__group_lock);
}

static inline int charge(struct bma_group *handle, uint64_t bytes)
{
	return bma__group_charge(in(handle), bytes, NULL);
}

static inline void uncharge(struct bma_group *handle, uint64_t bytes)
{
	bma__group_uncharge(in(handle), bytes);
}

static inline int move(struct bma_group *from, struct bma_group *to, uint64_t bytes)
{
	int rc;

	bma__lock_take(&bma__group_lock);
	rc = bma__group_move(in(from), in(to), bytes, NULL);
	bma__lock_drop(&bma__group_lock);
	return rc;
}

#endif /* BMA_UNIT_GROUP_H */
