/* SPDX-License-Identifier: MIT */
/*
 * Who pays, while calls into the operating system may fail; see scenario_group.h. Whatever fails, what is charged and not stocked is what is held, to the
 * byte. Only the root has a limit that could be met: none.
 */
#include "scenario_group.h"

#include <bma/bma.h>

#include <errno.h>
#include <stdbool.h>

#include "test.h"

#define HELD 400
#define PAYERS 4
#define TRIES 500

static struct bma_group *group[3]; /* the second is below the first */
static struct bma_shrinker *shrinker;

static struct payer {
	bool heap, private;
	uint64_t flags;
	size_t size;
	struct bma_cache *cache;
	struct bma_heap *of;
	int node;
	void *objs[HELD];
	unsigned int n;
} payers[PAYERS] = {
	{.size = 88},
	{.size = 40, .flags = BMA_CACHE_PERCPU, .node = 1},
	{.size = 512, .private = true, .node = 1},
	{.size = 2048, .heap = true, .node = 2},
};

#define for_each_payer(p) for (struct payer *p = payers; p < payers + PAYERS; p++)

static uint64_t count(void *ctx)
{
	(void)ctx;
	return 0;
}

static uint64_t scan(uint64_t bytes, void *ctx)
{
	(void)bytes, (void)ctx;
	return 0;
}

/* Returns whether all of them exist. */
static bool make_groups(void)
{
	for (int i = 0; i < 3; i++) {
		struct bma_group_attr a = {.attr_size = sizeof a};

		if (group[i])
			continue;
		errno = 0;
		group[i] = bma_group_create(i == 1 ? group[0] : bma_group_root(), &a);
		CHECK(group[i] || errno == ENOMEM, "group: errno %d", errno);
		if (!group[i])
			return false;
	}
	if (!shrinker)
		shrinker = bma_shrinker_register(group[0], count, scan, NULL);
	return true;
}

static bool open_payer(struct payer *p)
{
	struct bma_cache_attr c = {.attr_size = sizeof c,
				   .size = p->size,
				   .flags = p->flags | (p->private ? 0 : BMA_CACHE_MERGE),
				   .group = group[p->node]};
	struct bma_heap_attr h = {
		.attr_size = sizeof h, .flags = BMA_HEAP_KERNEL_CLASSES, .group = group[p->node]};

	if (p->cache || p->of)
		return true;
	errno = 0;
	if (p->heap)
		p->of = bma_heap_create(&h);
	else
		p->cache = bma_cache_create(&c);
	CHECK(p->cache || p->of || errno == ENOMEM, "create: errno %d", errno);
	return p->cache || p->of;
}

static uint64_t price(const struct payer *p)
{
	if (p->private)
		return 0;
	return p->size * (p->flags & BMA_CACHE_PERCPU ? bma_percpu_copies() : 1);
}

static unsigned int take(struct payer *p, unsigned int n, unsigned int flags)
{
	unsigned int got = 0;

	while (got < n && p->n < HELD) {
		void *obj = p->heap ? bma_heap_alloc_flags(p->of, p->size, flags)
				    : bma_cache_alloc_flags(p->cache, flags);

		CHECK(obj || !(flags & BMA_SLEEP) || errno == ENOMEM, "errno %d", errno);
		if (!obj)
			break;
		p->objs[p->n++] = obj;
		got++;
	}
	return got;
}

static void put(struct payer *p, unsigned int n)
{
	while (n-- && p->n) {
		void *obj = p->objs[--p->n];

		if (p->heap && n % 3)
			bma_heap_free(p->of, obj);
		else if (p->heap)
			bma_heap_free_rcu(p->of, obj);
		else if (n % 3)
			bma_cache_free(p->cache, obj);
		else
			bma_cache_free_rcu(p->cache, obj);
	}
}

/* Is all of a group as it should be? @waited: for all that was freed. */
static bool adds_up(int i, bool waited, struct bma_group_stats *s)
{
	uint64_t bytes, objects = 0;

	CHECK(!bma_group_stat(group[i], s, sizeof *s), "stat");
	bytes = s->slab_bytes;
	for_each_payer(p)
	{
		bytes += p->node == i ? p->n * price(p) : 0;
		objects += p->node == i && !p->private ? p->n : 0;
	}
	return waited ? s->own - s->stocked == bytes && s->objects == objects
		      : s->own - s->stocked >= bytes && s->objects >= objects;
}

/* The worker may be taking slabs while figures are read. */
static void check(bool waited)
{
	for (int i = 0; i < 3; i++) {
		struct bma_group_stats s = {.depth = 0};
		int tries = TRIES;

		if (!group[i])
			continue;
		while (!adds_up(i, waited, &s) && tries--)
			usleep(1000);
		CHECK(tries > 0, "group %d: own %llu, stocked %llu, slabs %llu, objects %llu", i,
		      (unsigned long long)s.own, (unsigned long long)s.stocked,
		      (unsigned long long)s.slab_bytes, (unsigned long long)s.objects);
	}
}

static bool barrier(void)
{
	bool waited = true;

	for_each_payer(p)
	{
		if (p->cache)
			waited &= !bma_rcu_barrier(p->cache);
	}
	return bma_poll(BMA_POLL_GP) >= 0 && waited;
}

/* No call of these needs more than there is. */
static void change_payers(void)
{
	for_each_payer(p)
	{
		int to = (p->node + 1) % 3, rc;

		if (!p->cache && !p->of)
			continue;
		rc = p->heap ? bma_heap_recharge(p->of, group[to])
			     : bma_cache_recharge(p->cache, group[to]);
		CHECK(!rc, "recharge: %d", rc);
		p->node = to;
	}
	bma_group_reclaim(group[0], 1u << 20);
	/* The second's are the first's from now on; then it is made again. */
	CHECK(!bma_group_destroy(group[1]), "destroy");
	group[1] = NULL;
	for_each_payer(p)
	{
		if (p->node == 1)
			p->node = 0;
	}
}

void scenario_group_play(void)
{
	for (int round = 0; round < 2; round++) {
		if (!make_groups())
			continue;
		for_each_payer(p)
		{
			if (!open_payer(p))
				continue;
			take(p, 100, 0);
			take(p, 50, BMA_SLEEP);
			put(p, p->n / 2);
		}
		check(false);
		change_payers();
		check(barrier());
		bma_trim();
	}
}

static void close_payer(struct payer *p)
{
	int rc = p->heap ? bma_heap_destroy(p->of) : bma_cache_destroy(p->cache);

	CHECK(!rc, "destroy when nothing fails: %d", rc);
	p->cache = NULL;
	p->of = NULL;
}

void scenario_group_end(void)
{
	struct bma_group_stats s;

	CHECK(make_groups(), "groups when nothing fails");
	for_each_payer(p)
	{
		CHECK(open_payer(p), "create when nothing fails");
		CHECK(p->n > HELD - 50 || take(p, 50, BMA_SLEEP) == 50, "alloc when nothing fails");
	}
	CHECK(barrier(), "barrier when nothing fails");
	check(true);
	change_payers();
	CHECK(!bma_trim(), "trim");
	for_each_payer(p)
	{
		put(p, p->n);
		close_payer(p);
	}
	bma_shrinker_unregister(shrinker);
	shrinker = NULL;
	CHECK(!bma_trim() && !bma_shutdown() && !bma_trim(), "trim");
	for (int i = 3; i--;) {
		if (!group[i])
			continue;
		CHECK(!bma_group_stat(group[i], &s, sizeof s) && !s.current && !s.payers,
		      "group %d is charged %llu", i, (unsigned long long)s.current);
		CHECK(!bma_group_destroy(group[i]), "destroy when nothing fails");
		group[i] = NULL;
	}
}
