/* SPDX-License-Identifier: MIT */
/* Making shared groups and looking at them. */
#ifndef BMA_UNIT_SHARED_H
#define BMA_UNIT_SHARED_H

#include "group.h"

static inline struct bma_group *make_shared_limited(const char *name, uint64_t max)
{
	struct bma_shared_attr a = {.attr_size = sizeof a, .name = name, .max = max};
	struct bma_group *s = bma_shared_create(&a);

	cr_assert_not_null(s, "%s: errno %d", name ? name : "", errno);
	return s;
}

static inline struct bma_group *make_shared(const char *name)
{
	return make_shared_limited(name, 0);
}

static inline void attach(struct bma_group *shared, struct bma_group *g,
			  enum bma_shared_policy policy)
{
	cr_assert_eq(bma_shared_attach(shared, g, policy, BMA_GROUP_NO_LIMIT), 0);
}

static inline struct bma_shared_stats pair_of(struct bma_group *shared, struct bma_group *g)
{
	struct bma_shared_stats s;

	cr_assert_eq(bma_shared_stat(shared, g, &s, sizeof s), 0);
	cr_assert_leq(s.borrowed, s.charge);
	cr_assert_leq(s.lower, s.upper);
	cr_assert_leq(s.upper, s.charge);
	return s;
}

static inline uint64_t current(struct bma_group *g)
{
	struct bma_group_stats s = stat_of(g);

	cr_assert_leq(s.current, s.peak);
	return s.current;
}

/* A merged cache that @group pays for. */
static inline struct bma_cache *cache_of(struct bma_group *group, size_t size)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = size, .flags = BMA_CACHE_MERGE, .group = group};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static inline void *get(struct bma_cache *c)
{
	void *obj = bma_cache_alloc_flags(c, BMA_SLEEP | BMA_ZERO);

	cr_assert_not_null(obj);
	return obj;
}

/* What users have of what is charged to @g. */
static inline uint64_t in_use(struct bma_group *g)
{
	struct bma_group_stats s;

	cr_assert_eq(bma_trim(), 0);
	s = stat_of(g);
	return s.current - s.stocked;
}

static inline bool is_gone(struct bma_group *g)
{
	struct bma_group_stats s;

	return bma_group_stat(g, &s, sizeof s) == -ESTALE;
}

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif /* BMA_UNIT_SHARED_H */
