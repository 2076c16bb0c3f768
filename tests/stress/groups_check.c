/* SPDX-License-Identifier: MIT */
/* What groups say against what the test has, while nothing is under way; see groups.h. */
#include "groups.h"

#include "test.h"

#define TRIES 50
#define BATCH ((uint64_t)64 << 10)

typedef unsigned long long ull;

/* One group's, by what the test knows. */
struct truth {
	uint64_t bytes;	  /* of objects that are charged one by one, but for large ones */
	uint64_t objects; /* that are charged one by one */
	uint64_t large;	  /* bytes; part of what is told as slabs */
	uint64_t slabs;	  /* bytes, of open private caches and heaps */
	uint64_t stocks;  /* at most */
};

static struct truth truth[GROUPS_NODES];
static struct bma_group_stats stats[GROUPS_NODES];

static uint64_t cap(const struct payer *p)
{
	uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_CONF);
	uint64_t share = p->loosest / (32 * cpus);

	return 2 * (share < BATCH ? share : BATCH);
}

/* Memory that a private one has. */
static uint64_t slabs_of(const struct payer *p)
{
	struct bma_cache_stats c;
	struct bma_heap_stats h;

	if (p->cache) {
		CHECK(!bma_cache_stats_get(p->cache, &c, sizeof c), "stats");
		return c.slab_bytes;
	}
	CHECK(!bma_heap_stats_get(p->heap, &h, sizeof h), "stats");
	return h.slab_bytes;
}

static void add(const struct payer *p, uint64_t large_objects)
{
	struct truth *t = &truth[p->node];
	bool shares = p->kind == MERGED || p->kind == SHARED_HEAP;

	t->large += p->large;
	t->objects += (shares ? p->objects : 0) + large_objects;
	if (shares)
		t->bytes += p->bytes - p->large;
	else if (p->open)
		t->slabs += slabs_of(p);
	/* A word for each slot, one more, and what is pending. */
	t->stocks += cap(p) * (bma_percpu_copies() + 1);
}

static void count_truth(void)
{
	uint64_t large[GROUPS_PAYERS] = {0};

	for (int i = 0; i < GROUPS_LARGE; i++) {
		const struct object *o = groups_large[i];

		if (o)
			large[o->payer]++;
	}
	memset(truth, 0, sizeof truth);
	truth[0].slabs = groups_root_slabs;
	for (int i = 0; i < groups_payers; i++) {
		const struct payer *p = &groups_payer[i];

		if (p->open || p->left)
			add(p, large[i]);
	}
}

static void read_stats(void)
{
	for (int i = 0; i < GROUPS_NODES; i++) {
		if (groups_node[i].group)
			CHECK(!bma_group_stat(groups_node[i].group, &stats[i], sizeof stats[i]),
			      "stat");
	}
}

/* Returns what is wrong with a group, or NULL. */
static const char *wrong(int i, bool trimmed)
{
	const struct bma_group_stats *s = &stats[i];
	const struct truth *t = &truth[i];
	uint64_t below = 0;

	for (int c = 0; c < GROUPS_NODES; c++) {
		if (groups_node[c].group && groups_node[c].parent == i)
			below += stats[c].current;
	}
	if (s->own + below != s->current)
		return "what is charged is not its own and its children's";
	if (s->own - s->stocked != t->bytes + s->slab_bytes)
		return "what is charged and not stocked is not what the test has";
	if (s->objects != t->objects)
		return "objects";
	/* Those that wait for a grace period are not their cache's any more. */
	if (s->slab_bytes < t->slabs + t->large ||
	    (trimmed && s->slab_bytes != t->slabs + t->large))
		return "bytes of slabs";
	if (trimmed && s->stocked)
		return "stocks are not empty after a trim";
	if (s->stocked > t->stocks)
		return "stocks are above their bound";
	if (s->current > groups_node[i].bound)
		return "more is charged than may be";
	return NULL;
}

static int first_wrong(bool trimmed, const char **what)
{
	count_truth();
	read_stats();
	for (int i = 0; i < GROUPS_NODES; i++) {
		if (groups_node[i].group && (*what = wrong(i, trimmed)))
			return i;
	}
	return -1;
}

static void fail(int i, const char *what)
{
	const struct bma_group_stats *s = &stats[i];
	const struct truth *t = &truth[i];

	CHECK(0,
	      "group %d: %s: current %llu of %llu, own %llu, stocked %llu, objects %llu, "
	      "slab_bytes "
	      "%llu; expected %llu, stocked up to %llu, objects %llu, slab_bytes %llu + %llu",
	      i, what, (ull)s->current, (ull)groups_node[i].bound, (ull)s->own, (ull)s->stocked,
	      (ull)s->objects, (ull)s->slab_bytes, (ull)t->bytes, (ull)t->stocks, (ull)t->objects,
	      (ull)t->slabs, (ull)t->large);
}

void groups_check(void)
{
	const char *what = NULL;
	int i = -1;

	CHECK(!bma_shutdown(), "shutdown");
	i = first_wrong(false, &what);
	if (i >= 0)
		fail(i, what);
	/* Trimming wakes threads of the library, which take and give slabs. */
	for (int n = 0; n < TRIES; n++) {
		CHECK(!bma_trim() && !bma_shutdown(), "trim");
		i = first_wrong(true, &what);
		if (i < 0)
			break;
	}
	if (i >= 0)
		fail(i, what);
	/* A closed one of which nothing is live is gone now, with its stocks. */
	for (i = 0; i < groups_payers; i++)
		groups_payer[i].left = groups_payer[i].open || groups_payer[i].objects;
	for (i = 0; i < GROUPS_NODES; i++) {
		if (stats[i].current <= groups_node[i].max)
			groups_node[i].bound = groups_node[i].max;
		else if (stats[i].current < groups_node[i].bound)
			groups_node[i].bound = stats[i].current;
	}
}

void groups_check_max(uint64_t *rng)
{
	int i = (int)(test_random(rng) % GROUPS_NODES);
	struct bma_group_stats s;

	if (!groups_node[i].group || !groups_node[i].calm)
		return;
	CHECK(!bma_group_stat(groups_node[i].group, &s, sizeof s), "stat");
	CHECK(s.current <= groups_node[i].bound, "group %d: %llu charged, bound %llu", i,
	      (ull)s.current, (ull)groups_node[i].bound);
}
