/* SPDX-License-Identifier: MIT */
/* The tree and who pays, changed at random while others allocate; see groups.h. */
#include "groups.h"

#include <errno.h>

#include "test.h"

#define HANDLES 4
#define SHAPES 4
#define DEPTH 6
#define TRIES 50

struct node groups_node[GROUPS_NODES];
struct payer groups_payer[GROUPS_PAYERS];
int groups_source[GROUPS_SOURCES];
struct bma_shrinker *groups_shrinker[GROUPS_SHRINKERS];
uint64_t groups_root_slabs;

static int payers;
static bool ended[GROUPS_SHRINKERS]; /* neither function may run any more */
static uint64_t begun, payers_begun, groups_begun;

static const struct {
	size_t size;
	uint64_t flags;
} shapes[SHAPES] = {{24, 0}, {96, 0}, {4096, 0}, {64, BMA_CACHE_PERCPU}};

static struct bma_group_stats stat_of(int i)
{
	struct bma_group_stats s;

	CHECK(!bma_group_stat(groups_node[i].group, &s, sizeof s), "stat");
	return s;
}

uint64_t groups_tightest(int node)
{
	uint64_t least = BMA_GROUP_NO_LIMIT;

	for (; node >= 0; node = groups_node[node].parent)
		least = groups_node[node].max < least ? groups_node[node].max : least;
	return least;
}

/* Limits above a payer were raised, or it came below others. */
static void loosen(void)
{
	for (int i = 0; i < payers; i++) {
		uint64_t now = groups_tightest(groups_payer[i].node);

		if (now > groups_payer[i].loosest)
			groups_payer[i].loosest = now;
	}
}

static int some_node(uint64_t *rng)
{
	int i;

	do {
		i = (int)(test_random(rng) % GROUPS_NODES);
	} while (!groups_node[i].group);
	return i;
}

static int depth_of(int node)
{
	int n = 0;

	while ((node = groups_node[node].parent) >= 0)
		n++;
	return n;
}

static void make_node(uint64_t *rng)
{
	uint64_t r = test_random(rng);
	struct bma_group_attr a = {.attr_size = sizeof a,
				   .flags = r & 1 ? BMA_GROUP_OFFLINE : 0,
				   .max = r & 6 ? 0 : 100000 + (r >> 8) % 4000000};
	int parent = some_node(rng);

	for (int i = 0; i < GROUPS_NODES && depth_of(parent) < DEPTH; i++) {
		if (groups_node[i].group)
			continue;
		groups_node[i] = (struct node){
			.group = bma_group_create(groups_node[parent].group, &a),
			.parent = parent,
			.max = a.max ? a.max : BMA_GROUP_NO_LIMIT,
			.calm = true,
		};
		CHECK(groups_node[i].group, "group: errno %d", errno);
		groups_node[i].bound = groups_node[i].max;
		return;
	}
}

/* All that it pays for its parent pays for. */
static void destroy_node(uint64_t *rng)
{
	int i = some_node(rng), parent = groups_node[i].parent, rc, below = 0;

	for (int c = 0; c < GROUPS_NODES; c++)
		below += groups_node[c].group && groups_node[c].parent == i;
	rc = bma_group_destroy(groups_node[i].group);
	if (!i || below) {
		CHECK(rc == (i ? -EBUSY : -EINVAL), "destroy: %d", rc);
		return;
	}
	/* A thread that is in a gate may get no CPU for a second. */
	CHECK(!rc || rc == -EBUSY, "destroy: %d", rc);
	if (rc)
		return;
	CHECK(bma_group_destroy(groups_node[i].group) == -ESTALE, "destroyed twice");
	groups_node[i].group = NULL;
	for (int p = 0; p < payers; p++) {
		if (groups_payer[p].node == i)
			groups_payer[p].node = parent;
	}
	loosen();
}

static void set_max(int i, uint64_t bytes)
{
	struct node *n = &groups_node[i];
	uint64_t before = stat_of(i).current, after;
	int rc = bma_group_set(n->group, BMA_GROUP_MAX, bytes);

	if (rc == -EINVAL)
		return; /* below its min */
	CHECK(!rc, "set: %d", rc);
	after = stat_of(i).current;
	n->calm = false;
	n->max = bytes;
	n->bound = before > after ? before : after;
	n->bound = bytes > n->bound ? bytes : n->bound;
	loosen();
}

static void set_limits(uint64_t *rng)
{
	uint64_t r = test_random(rng), current;
	int i = some_node(rng);

	current = stat_of(i).current;
	switch (i ? r & 7 : 7) {
	case 0:
	case 1:
		set_max(i, BMA_GROUP_NO_LIMIT);
		break;
	case 2:
		set_max(i, current + (r >> 8) % 2000000);
		break;
	case 3:
		set_max(i, current / 4 * 3);
		break;
	case 4:
		/* Hardly above it: what may sleep is not to sleep for long. */
		bma_group_set(groups_node[i].group, BMA_GROUP_HIGH, current / 200 * 199);
		usleep(100);
		bma_group_set(groups_node[i].group, BMA_GROUP_HIGH, BMA_GROUP_NO_LIMIT);
		break;
	case 5:
		bma_group_set(groups_node[i].group, BMA_GROUP_LOW, (r >> 8) % (current + 1));
		break;
	case 6:
		bma_group_set(groups_node[i].group, BMA_GROUP_MIN, (r >> 8) % (current / 2 + 1));
		break;
	default:
		break;
	}
}

static void recharge(uint64_t *rng)
{
	struct payer *p = &groups_payer[groups_source[test_random(rng) % GROUPS_SOURCES]];
	int to = some_node(rng), rc;

	rc = p->cache ? bma_cache_recharge(p->cache, groups_node[to].group)
		      : bma_heap_recharge(p->heap, groups_node[to].group);
	CHECK(!rc || rc == -EDQUOT || rc == -EBUSY, "recharge: %d", rc);
	if (!rc)
		p->node = to;
	CHECK((p->cache ? bma_cache_group(p->cache) : bma_heap_group(p->heap)) ==
		      groups_node[p->node].group,
	      "another group pays");
	loosen();
}

static uint64_t count(void *ctx)
{
	CHECK(!*(bool *)ctx, "a shrinker that was ended was asked");
	return 1000;
}

static uint64_t scan(uint64_t bytes, void *ctx)
{
	static _Atomic uint64_t turn;
	uint64_t freed = 0;

	CHECK(!*(bool *)ctx, "a shrinker that was ended was called");
	for (int i = 0; i < 30 && freed < bytes; i++) {
		uint64_t r = atomic_fetch_add(&turn, 1);
		struct object *o = atomic_exchange(&groups_box[r * 7919 % GROUPS_BOXES], NULL);

		if (!o)
			continue;
		freed += o->bytes;
		groups_give(o, r | 3);
		atomic_fetch_add(&groups_shrunk, 1);
	}
	return freed;
}

static void shrinkers(uint64_t *rng)
{
	uint64_t i = test_random(rng) % GROUPS_SHRINKERS;
	int node = some_node(rng);

	if (groups_shrinker[i]) {
		bma_shrinker_unregister(groups_shrinker[i]);
		ended[i] = true;
		groups_shrinker[i] = NULL;
		return;
	}
	ended[i] = false;
	groups_shrinker[i] = bma_shrinker_register(groups_node[node].group, count, scan, &ended[i]);
	CHECK(groups_shrinker[i], "shrinker: errno %d", errno);
}

void groups_change(uint64_t *rng)
{
	uint64_t r = test_random(rng);

	switch (r & 15) {
	case 0:
	case 1:
		make_node(rng);
		break;
	case 2:
	case 3:
		destroy_node(rng);
		break;
	case 4:
		shrinkers(rng);
		break;
	case 5:
		bma_group_reclaim(groups_node[some_node(rng)].group, r >> 40);
		break;
	case 6:
		if (r >> 8 & 7)
			bma_poll(0);
		else
			bma_trim();
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		set_limits(rng);
		break;
	default:
		recharge(rng);
		break;
	}
}

/* One that nothing keeps from having its first objects. */
static int open_payer(enum kind kind, unsigned int shape)
{
	struct payer *p = &groups_payer[payers];
	struct bma_cache_attr c = {.attr_size = sizeof c, .group = groups_node[0].group};
	struct bma_heap_attr h = {.attr_size = sizeof h, .group = c.group};
	struct bma_cache_stats s;

	CHECK(payers < GROUPS_PAYERS, "too many payers");
	*p = (struct payer){.kind = kind, .shape = shape, .open = true, .left = true};
	if (kind == MERGED || kind == PRIVATE_CACHE) {
		c.size = shapes[shape].size;
		c.flags = shapes[shape].flags | (kind == MERGED ? BMA_CACHE_MERGE : 0);
		p->cache = bma_cache_create(&c);
		CHECK(p->cache, "cache: errno %d", errno);
		CHECK(!bma_cache_stats_get(p->cache, &s, sizeof s) && s.stride == c.size,
		      "stride %llu", (unsigned long long)s.stride);
	} else {
		h.flags = kind == PRIVATE_HEAP ? BMA_HEAP_PRIVATE : 0;
		p->heap = bma_heap_create(&h);
		CHECK(p->heap, "heap: errno %d", errno);
	}
	p->loosest = BMA_GROUP_NO_LIMIT;
	return payers++;
}

static void close_payer(struct payer *p)
{
	int rc = p->cache ? bma_cache_destroy(p->cache) : bma_heap_destroy(p->heap);

	CHECK(!rc, "destroy: %d", rc);
	p->open = false;
	p->cache = NULL;
	p->heap = NULL;
}

/* Large ones end with their heap, whether or not it knows of others. */
static void empty_large(void)
{
	for (int i = 0; i < GROUPS_LARGE; i++) {
		struct object *o = atomic_exchange(&groups_large[i], NULL);

		if (o)
			groups_give(o, (uint64_t)i);
	}
}

void groups_replace(uint64_t *rng)
{
	uint64_t i = test_random(rng) % (SHAPES * HANDLES + 2);
	struct payer *p = &groups_payer[groups_source[i]];

	for (int n = 0; n < GROUPS_NODES; n++)
		groups_node[n].calm = true;
	if (payers == GROUPS_PAYERS)
		return;
	if (p->kind == SHARED_HEAP)
		empty_large();
	groups_source[i] = open_payer(p->kind, p->shape);
	close_payer(p);
}

void groups_make(uint64_t *rng)
{
	int n = 0;

	groups_node[0] = (struct node){.group = bma_group_root(),
				       .parent = -1,
				       .max = BMA_GROUP_NO_LIMIT,
				       .bound = BMA_GROUP_NO_LIMIT};
	begun = stat_of(0).current;
	payers_begun = stat_of(0).payers;
	groups_begun = stat_of(0).groups;
	for (unsigned int shape = 0; shape < SHAPES; shape++) {
		for (int i = 0; i < HANDLES; i++)
			groups_source[n++] = open_payer(MERGED, shape);
	}
	/* The words that stocks are in. */
	groups_root_slabs = stat_of(0).slab_bytes;
	for (int i = 0; i < 2; i++)
		groups_source[n++] = open_payer(SHARED_HEAP, 0);
	for (unsigned int i = 0; i < 2; i++)
		groups_source[n++] = open_payer(PRIVATE_CACHE, i);
	for (int i = 0; i < 2; i++)
		groups_source[n++] = open_payer(PRIVATE_HEAP, 0);
	for (int i = 0; i < GROUPS_NODES; i++)
		make_node(rng);
	for (int i = 0; i < 200; i++)
		recharge(rng);
}

/* Nothing is left, of bytes, payers and names. */
void groups_end(void)
{
	struct bma_group_stats s;

	for (int i = 0; i < GROUPS_BOXES; i++) {
		struct object *o = atomic_exchange(&groups_box[i], NULL);

		if (o)
			groups_give(o, (uint64_t)i);
	}
	empty_large();
	for (int i = 0; i < GROUPS_SHRINKERS; i++)
		bma_shrinker_unregister(groups_shrinker[i]);
	CHECK(!bma_shutdown(), "shutdown");
	groups_check();
	for (int i = 0; i < GROUPS_SOURCES; i++)
		close_payer(&groups_payer[groups_source[i]]);
	for (int left = GROUPS_NODES; left--;) {
		for (int i = 1; i < GROUPS_NODES; i++) {
			if (groups_node[i].group && !bma_group_destroy(groups_node[i].group))
				groups_node[i].group = NULL;
		}
	}
	for (int i = 0; i < TRIES; i++) {
		CHECK(!bma_trim() && !bma_shutdown(), "trim");
		s = stat_of(0);
		if (s.current == begun && s.payers == payers_begun && s.groups == groups_begun)
			return;
	}
	CHECK(0, "the root has %llu bytes, %llu payers, %llu groups; it had %llu, %llu, %llu",
	      (unsigned long long)s.current, (unsigned long long)s.payers,
	      (unsigned long long)s.groups, (unsigned long long)begun,
	      (unsigned long long)payers_begun, (unsigned long long)groups_begun);
}
