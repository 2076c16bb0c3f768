/* SPDX-License-Identifier: MIT */
/*
 * Charges against a model: random operations in one thread; after each, what is charged and not stocked is what the model says, to the byte.
 *
 * A call that may sleep fails exactly if the model has no room. One that may not fails if the model has none, and does not if there is room also for what is
 * stocked; in between it may.
 */
#include "charge_model.h"
#include "group.h"

#include <stdlib.h>

#include "test.h"

#define STEPS 20000
#define SHAPES 3
#define HANDLES 3
#define SOURCES (SHAPES * HANDLES + 2)
#define SENTINEL 4713 /* no error number */

static const size_t shape_size[SHAPES] = {24, 200, 4096};
static struct bma_group *group[MODEL_GROUPS];
static bool offline[MODEL_GROUPS];
static struct {
	struct bma_cache *cache;
	struct bma_heap *heap;
	int payer;
} source[SOURCES];
static uint64_t rng;

static uint64_t below(uint64_t n)
{
	return test_random(&rng) % n;
}

static int some_group(void)
{
	int g;

	do {
		g = (int)below((uint64_t)model_groups);
	} while (!model_group[g].online);
	return g;
}

/* The words of stocks are in slabs that the root pays for. */
static uint64_t slabs_of_words(const struct bma_group_stats *s)
{
	uint64_t large = 0;

	for (int i = 0; i < model_objects; i++) {
		if (model_object[i].large && !model_payer[model_object[i].payer].group)
			large += model_object[i].bytes;
	}
	return s->slab_bytes - large;
}

static void check_group(int g)
{
	struct bma_group_stats s = stat_of(group[g]);

	s.own -= g ? 0 : slabs_of_words(&s);
	cr_assert_eq(s.own - s.stocked, model_own(g), "group %d: own %llu stocked %llu model %llu",
		     g, (unsigned long long)s.own, (unsigned long long)s.stocked,
		     (unsigned long long)model_own(g));
	cr_assert_eq(s.objects, model_own_objects(g));
}

static void check_all(void)
{
	for (int g = 1; g < model_groups; g++) {
		struct bma_group_stats s;
		int rc = bma_group_stat(group[g], &s, sizeof s);

		if (model_group[g].online)
			check_group(g);
		else if (offline[g] && model_remains(g))
			cr_assert(!rc && s.offline, "a name is gone while something is left: %d",
				  rc);
		else if (!offline[g])
			cr_assert_eq(rc, -ESTALE);
	}
}

static void add_group(void)
{
	struct bma_group_attr a = {.attr_size = sizeof a,
				   .max = below(3) ? 20000 + below(400000) : 0};
	int parent = below(3) ? some_group() : 0, g;

	if (model_groups == MODEL_GROUPS)
		return;
	/* Names that stay keep their parent from being destroyed; so these are the root's. */
	if (!parent && below(2))
		a.flags = BMA_GROUP_OFFLINE;
	group[model_groups] = bma_group_create(group[parent], &a);
	if (!group[model_groups]) {
		cr_assert_eq(errno, ELOOP);
		return;
	}
	g = model_add_group(parent, a.max ? a.max : BMA_GROUP_NO_LIMIT);
	offline[g] = a.flags;
}

static void open_source(int i)
{
	int g = some_group();
	struct bma_cache_attr c = {
		.attr_size = sizeof c, .flags = BMA_CACHE_MERGE, .group = group[g]};
	struct bma_heap_attr h = {.attr_size = sizeof h, .group = group[g]};

	source[i].payer = model_add_payer(g);
	if (i < SHAPES * HANDLES) {
		c.size = shape_size[i / HANDLES];
		source[i].cache = bma_cache_create(&c);
		cr_assert_not_null(source[i].cache, "errno %d", errno);
	} else {
		source[i].heap = bma_heap_create(&h);
		cr_assert_not_null(source[i].heap, "errno %d", errno);
	}
}

static void free_object(int i, bool rcu)
{
	struct model_object o = model_object[i];
	struct bma_heap *heap = NULL;
	struct bma_cache *cache = NULL;
	int g = model_payer[o.payer].group;

	for (int s = 0; s < SOURCES && o.large; s++) {
		if (source[s].payer == o.payer)
			heap = source[s].heap;
	}
	for (int s = 0; s < SHAPES && !o.large; s++) {
		if (o.bytes == shape_size[s])
			cache = source[s * HANDLES + (int)below(HANDLES)].cache;
	}
	if (!cache && !heap)
		heap = source[SHAPES * HANDLES + (int)below(2)].heap;
	model_remove_object(i);
	if (cache && rcu)
		bma_cache_free_rcu(cache, o.obj);
	else if (cache)
		bma_cache_free(cache, o.obj);
	else if (rcu)
		bma_heap_free_rcu(heap, o.obj);
	else
		bma_heap_free(heap, o.obj);
	if (rcu || o.large)
		cr_assert_geq(bma_poll(BMA_POLL_GP), 0);
	check_group(g);
}

/* Large objects end with their heap. */
static void replace_source(void)
{
	int i = (int)below(SOURCES), payer = source[i].payer;

	if (model_payers == MODEL_PAYERS)
		return;
	for (int o = model_objects; o--;) {
		if (model_object[o].payer == payer && model_object[o].large)
			free_object(o, false);
	}
	if (source[i].cache)
		cr_assert_eq(bma_cache_destroy(source[i].cache), 0);
	else
		cr_assert_eq(bma_heap_destroy(source[i].heap), 0);
	model_payer[payer].open = false;
	open_source(i);
}

/* A limit was lowered below what is charged: what stocks have is still to be had, for that charges no more. */
static bool is_over(int g)
{
	for (; g != MODEL_NONE; g = model_group[g].parent) {
		if (stat_of(group[g]).current > model_group[g].max)
			return true;
	}
	return false;
}

/* Is there room for what is stocked, too? */
static bool certainly_fits(int g, uint64_t bytes)
{
	for (; g != MODEL_NONE; g = model_group[g].parent) {
		if (stat_of(group[g]).current + bytes > model_group[g].max)
			return false;
	}
	return true;
}

static void take(unsigned int flags, bool large)
{
	int i = (int)below(SOURCES), payer = source[i].payer, g = model_payer[payer].group;
	/* No class of a heap has the size of a cache. */
	size_t size = large ? BMA_HEAP_CLASS_MAX + 1 + below(100000) : 8 * (30 + below(100));
	uint64_t bytes = large ? (size + 4095) / 4096 * 4096 : size;
	bool fits, certainly, over;
	struct bma_group_stats before, after;
	void *obj;

	if (model_objects == MODEL_OBJECTS || (large && source[i].cache))
		return;
	if (source[i].cache)
		bytes = shape_size[i / HANDLES];
	else if (!large)
		bytes = bma_cache_size(bma_heap_cache(source[i].heap, size));
	fits = model_fits(g, bytes);
	certainly = certainly_fits(g, bytes);
	over = is_over(g);
	before = stat_of(group[g]);
	errno = SENTINEL;
	obj = source[i].cache ? bma_cache_alloc_flags(source[i].cache, flags)
			      : bma_heap_alloc_flags(source[i].heap, size, flags);
	cr_assert(obj || errno == (flags & BMA_SLEEP ? EDQUOT : SENTINEL), "errno %d", errno);
	if (obj)
		model_add_object(payer, obj, bytes, large);
	after = stat_of(group[g]);
	check_group(g);
	cr_assert(!obj || fits || over, "there was no room for %llu", (unsigned long long)bytes);
	cr_assert(!obj || !over || (fits && flags & BMA_SLEEP) || after.current <= before.current,
		  "above max it rose");
	cr_assert(obj || !fits || !(flags & BMA_SLEEP), "there was room for %llu",
		  (unsigned long long)bytes);
	if (!obj && certainly)
		cr_assert_eq(after.fails[BMA_GROUP_FAIL_MEMORY],
			     before.fails[BMA_GROUP_FAIL_MEMORY] + 1);
	if (!obj && certainly)
		cr_assert_eq(after.fails[BMA_GROUP_FAIL_LIMIT], before.fails[BMA_GROUP_FAIL_LIMIT]);
}

static void recharge(void)
{
	int i = (int)below(SOURCES), payer = source[i].payer, to = some_group(), from, rc;
	bool may = model_may_move(payer, to);

	from = model_payer[payer].group;
	rc = source[i].cache ? bma_cache_recharge(source[i].cache, group[to])
			     : bma_heap_recharge(source[i].heap, group[to]);
	cr_assert_eq(rc, may ? 0 : -EDQUOT, "from %d to %d: %d", from, to, rc);
	if (!rc && to != from) {
		model_payer[payer].group = to;
		model_payer[payer].origin = MODEL_NONE;
	}
	cr_assert_eq(source[i].cache ? bma_cache_group(source[i].cache)
				     : bma_heap_group(source[i].heap),
		     group[rc ? from : to]);
	check_group(from);
	check_group(to);
}

static void destroy(void)
{
	int g = some_group(), rc;

	if (!g)
		return;
	rc = bma_group_destroy(group[g]);
	cr_assert_eq(rc, model_has_children(g) ? -EBUSY : 0);
	if (rc)
		return;
	model_destroy(g, offline[g]);
	check_group(model_group[g].parent);
}

static void set_limit(void)
{
	int g = some_group();
	uint64_t usage = model_usage(g), max;

	max = below(4) ? below(2 * usage + 50000) : BMA_GROUP_NO_LIMIT;
	if (!g)
		return;
	cr_assert_eq(bma_group_set(group[g], BMA_GROUP_MAX, max), 0);
	model_group[g].max = max;
	check_group(g);
}

static void trim(void)
{
	cr_assert_eq(bma_trim(), 0);
	check_all();
	for (int g = 1; g < model_groups; g++) {
		struct bma_group_stats s;

		if (model_group[g].online)
			cr_assert_eq(stat_of(group[g]).current, model_usage(g));
		else if (!model_remains(g))
			cr_assert_eq(bma_group_stat(group[g], &s, sizeof s), -ESTALE);
	}
}

static void step(void)
{
	uint64_t r = below(100);

	if (r < 30)
		take(0, false);
	else if (r < 50)
		take(BMA_SLEEP, false);
	else if (r < 52)
		take(BMA_SLEEP, true);
	else if (r < 90 && model_objects)
		free_object((int)below((uint64_t)model_objects), r == 89);
	else if (r < 94)
		recharge();
	else if (r < 97)
		set_limit();
	else if (r == 97)
		destroy();
	else if (r == 98)
		add_group();
	else if (!below(8))
		trim();
	else
		replace_source();
}

static void play(uint64_t seed, const char *conf, int steps)
{
	setenv("BMA_CONF", conf, 1);
	test_pin(0);
	test_seed = rng = seed;
	group[0] = bma_group_root();
	model_add_group(MODEL_NONE, BMA_GROUP_NO_LIMIT);
	for (int i = 0; i < 12; i++)
		add_group();
	for (int i = 0; i < SOURCES; i++)
		open_source(i);
	for (int i = 0; i < steps; i++) {
		step();
		if (!(i % 64))
			check_all();
	}
	while (model_objects)
		free_object(0, false);
	trim();
}

Test(charge_model, one)
{
	play(1, "worker:off", STEPS);
}

Test(charge_model, another)
{
	play(20250321, "worker:off", STEPS / 4);
}

Test(charge_model, without_an_index)
{
	play(77, "worker:off,rseq:off", STEPS / 4);
}
