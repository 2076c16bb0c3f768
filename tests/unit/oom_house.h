/* SPDX-License-Identifier: MIT */
/* Three tenants below one limit, and what simple policies answer. */
#ifndef BMA_UNIT_OOM_HOUSE_H
#define BMA_UNIT_OOM_HOUSE_H

#include "oom.h"

static struct bma_group *top; /* 64 KiB, for tenants of 1 KiB objects */
static struct tenant *a, *b, *c;

static inline void house(void)
{
	top = make_limited(NULL, "top", 64 * KIB);
	a = tenant(top, "a", 0);
	b = tenant(top, "b", 0);
	c = tenant(top, "c", 0);
}

/* b is the largest, then a. */
static inline void crowd(void)
{
	house();
	fill(a, 20);
	fill(b, 30);
	fill(c, 14);
}

static inline void released(int times_a, int times_b, int times_c)
{
	cr_assert_eq(a->released, times_a, "a: %d", a->released);
	cr_assert_eq(b->released, times_b, "b: %d", b->released);
	cr_assert_eq(c->released, times_c, "c: %d", c->released);
}

static inline enum bma_oom_answer silent(struct bma_oom *oom, void *ctx)
{
	(void)oom;
	if (ctx)
		++*(int *)ctx;
	return BMA_OOM_NO_POLICY;
}

static inline enum bma_oom_answer choose(struct bma_oom *oom, void *ctx)
{
	return bma_oom_select(oom, ctx) ? BMA_OOM_NO_POLICY : BMA_OOM_SELECTED;
}

static inline enum bma_oom_answer aborts(struct bma_oom *oom, void *ctx)
{
	(void)oom, (void)ctx;
	return BMA_OOM_ABORT;
}

#endif /* BMA_UNIT_OOM_HOUSE_H */
