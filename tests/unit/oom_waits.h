/* SPDX-License-Identifier: MIT */
/* Two tenants below one limit, and functions of theirs that somebody is stopped in. */
#ifndef BMA_UNIT_OOM_WAITS_H
#define BMA_UNIT_OOM_WAITS_H

#include "cache/cache.h"
#include "oom.h"

static struct bma_group *top;
static struct tenant *a, *b;

static inline void crowd(void)
{
	top = make_limited(NULL, "top", 32 * KIB);
	a = tenant(top, "a", 0);
	b = tenant(top, "b", 0);
	fill(a, 20);
	fill(b, 12);
}

static _Atomic int entered, go;
static bool quick; /* it has something to give, too */

static inline uint64_t waits(struct tenant *t)
{
	atomic_fetch_add(&entered, 1);
	while (!atomic_load(&go))
		bma__os_sleep(1000000);
	if (!quick)
		return 0;
	for (int i = 0; i < 4 && t->n; i++)
		bma_cache_free(t->cache, t->objs[--t->n]);
	return 4 * KIB;
}

static inline void *take_one(void *t)
{
	return take(t);
}

static inline void wait_entered(int n)
{
	while (atomic_load(&entered) < n)
		bma__os_sleep(100000);
}

static inline enum bma_oom_answer lingers(struct bma_oom *oom, void *ctx)
{
	(void)oom, (void)ctx;
	atomic_fetch_add(&entered, 1);
	while (!atomic_load(&go))
		bma__os_sleep(1000000);
	return BMA_OOM_NO_POLICY;
}

#endif /* BMA_UNIT_OOM_WAITS_H */
