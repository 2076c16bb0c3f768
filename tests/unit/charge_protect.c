/* SPDX-License-Identifier: MIT */
/* What brothers protect is left alone when a limit above them is hit: min always, low as long as there is anything else. */
#include "group.h"

#include <stdlib.h>

#define OBJECTS 400
#define SIZE 1024

/* One group with objects that its shrinker may free. */
struct family {
	struct bma_group *group;
	struct bma_cache *cache;
	struct bma_shrinker *shrinker;
	void *objs[OBJECTS];
	int n;
	uint64_t asked, given, most; /* most: that was asked for at once */
};

static uint64_t count(void *ctx)
{
	return (uint64_t)((struct family *)ctx)->n * SIZE;
}

static uint64_t scan(uint64_t bytes, void *ctx)
{
	struct family *f = ctx;
	uint64_t freed = 0;

	f->asked++;
	f->most = bytes > f->most ? bytes : f->most;
	for (; freed < bytes && f->n; freed += SIZE)
		bma_cache_free(f->cache, f->objs[--f->n]);
	f->given += freed;
	return freed;
}

static void found(struct family *f, struct bma_group *parent, const char *name)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = SIZE, .flags = BMA_CACHE_MERGE};

	f->group = a.group = make(parent, name);
	f->cache = bma_cache_create(&a);
	cr_assert_not_null(f->cache);
	f->shrinker = bma_shrinker_register(f->group, count, scan, f);
	cr_assert_not_null(f->shrinker);
}

static void fill(struct family *f, int n)
{
	while (f->n < n) {
		f->objs[f->n] = bma_cache_alloc_flags(f->cache, BMA_SLEEP);
		cr_assert_not_null(f->objs[f->n], "errno %d after %d", errno, f->n);
		f->n++;
	}
}

static uint64_t live(const struct family *f)
{
	return (uint64_t)f->n * SIZE;
}

static struct family a, b;
static struct bma_group *top;

static void setup(void)
{
	setenv("BMA_CONF", "worker:off", 1);
	top = make(NULL, "top");
	found(&a, top, "a");
	found(&b, top, "b");
	fill(&a, 100);
	fill(&b, 100);
	bma_trim();
}

TestSuite(charge_protect, .init = setup);

/* An allocation of another that is paid for by @top. */
static bool press(uint64_t bytes)
{
	struct bma_heap_attr attr = {.attr_size = sizeof attr, .group = top};
	struct bma_heap *h = bma_heap_create(&attr);
	uint64_t n = 0;
	bool ok = true;

	cr_assert_not_null(h);
	for (; n < bytes && ok; n += SIZE)
		ok = bma_heap_alloc_flags(h, SIZE, BMA_SLEEP) != NULL;
	return ok;
}

Test(charge_protect, min_is_exact)
{
	cr_assert_eq(bma_group_set(a.group, BMA_GROUP_MIN, 100 * SIZE), 0);
	cr_assert_eq(bma_group_set(b.group, BMA_GROUP_MIN, 40 * SIZE), 0);
	cr_assert_eq(bma_group_set(top, BMA_GROUP_MIN, 200 * SIZE), 0);
	cr_assert_eq(bma_group_set(top, BMA_GROUP_MAX, 200 * SIZE), 0);
	cr_assert(press(60 * SIZE));
	cr_assert_eq(live(&a), 100 * SIZE);
	cr_assert_eq(live(&b), 40 * SIZE, "%d left", b.n);
	cr_assert_eq(a.asked, 0);
	cr_assert_not(press(SIZE), "what is left is protected");
	cr_assert_eq(errno, EDQUOT);
	cr_assert_eq(live(&a) + live(&b), 140 * SIZE);
	cr_assert_eq(stat_of(top).events_local[BMA_GROUP_EVENT_OOM], 1);
	cr_assert_leq(stat_of(top).current, 200 * SIZE);
}

Test(charge_protect, low_unless_there_is_nothing_else)
{
	cr_assert_eq(bma_group_set(a.group, BMA_GROUP_LOW, 100 * SIZE), 0);
	cr_assert_eq(bma_group_set(top, BMA_GROUP_MAX, 200 * SIZE), 0);
	cr_assert(press(100 * SIZE));
	cr_assert_eq(a.asked, 0);
	cr_assert_eq(live(&b), 0);
	cr_assert_eq(stat_of(a.group).events_local[BMA_GROUP_EVENT_LOW], 0);
	cr_assert(press(10 * SIZE), "nothing else is left");
	cr_assert_eq(live(&a), 90 * SIZE);
	cr_assert_geq(stat_of(a.group).events_local[BMA_GROUP_EVENT_LOW], 1);
}

/* A reclaim that is asked for, not needed. */
Test(charge_protect, asked_for)
{
	uint64_t freed;

	cr_assert_eq(bma_group_set(a.group, BMA_GROUP_MIN, 100 * SIZE), 0);
	freed = bma_group_reclaim(top, 30 * SIZE);
	cr_assert_eq(freed, 30 * SIZE);
	cr_assert_eq(live(&b), 70 * SIZE);
	cr_assert_leq(b.most, 30 * SIZE);
	freed = bma_group_reclaim(top, UINT64_MAX);
	cr_assert_eq(freed, 70 * SIZE);
	cr_assert_eq(a.asked, 0);
	/* Nobody is protected against himself. */
	freed = bma_group_reclaim(a.group, 5 * SIZE);
	cr_assert_eq(freed, 5 * SIZE);
	cr_assert_eq(stat_of(top).current, 95 * SIZE);
}
