/* SPDX-License-Identifier: MIT */
/* The tree and who pays, changed at random while others allocate; see groups.h. */
#include "groups.h"

#include <errno.h>

#include "test.h"

#define DEPTH 6

struct node groups_node[GROUPS_NODES];
struct bma_shrinker *groups_shrinker[GROUPS_SHRINKERS];

static bool ended[GROUPS_SHRINKERS]; /* neither function may run any more */

struct bma_group_stats groups_stat(int i)
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
	for (int i = 0; i < groups_payers; i++) {
		uint64_t now = groups_tightest(groups_payer[i].node);

		if (now > groups_payer[i].loosest)
			groups_payer[i].loosest = now;
	}
}

int groups_some_node(uint64_t *rng)
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

void groups_make_node(uint64_t *rng)
{
	uint64_t r = test_random(rng);
	struct bma_group_attr a = {.attr_size = sizeof a,
				   .flags = r & 1 ? BMA_GROUP_OFFLINE : 0,
				   .max = r & 6 ? 0 : 100000 + (r >> 8) % 4000000};
	int parent = groups_some_node(rng);

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

/* All that it paid for its parent pays for. */
static void forget_node(int i)
{
	groups_node[i].group = NULL;
	for (int p = 0; p < groups_payers; p++) {
		if (groups_payer[p].node == i)
			groups_payer[p].node = groups_node[i].parent;
	}
	loosen();
}

static void destroy_node(uint64_t *rng)
{
	int i = groups_some_node(rng), rc, below = 0;

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
	forget_node(i);
}

static void set_max(int i, uint64_t bytes)
{
	struct node *n = &groups_node[i];
	uint64_t before = groups_stat(i).current, after;
	int rc = bma_group_set(n->group, BMA_GROUP_MAX, bytes);

	if (rc == -EINVAL)
		return; /* below its min */
	CHECK(!rc, "set: %d", rc);
	after = groups_stat(i).current;
	n->calm = false;
	n->max = bytes;
	n->bound = before > after ? before : after;
	n->bound = bytes > n->bound ? bytes : n->bound;
	loosen();
}

static void set_limits(uint64_t *rng)
{
	uint64_t r = test_random(rng), current;
	int i = groups_some_node(rng);

	current = groups_stat(i).current;
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

static void recharge_to(uint64_t *rng, int to)
{
	struct payer *p = &groups_payer[groups_source[test_random(rng) % GROUPS_SOURCES]];
	int rc;

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

void groups_recharge(uint64_t *rng)
{
	recharge_to(rng, groups_some_node(rng));
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
	int node = groups_some_node(rng);

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
		groups_make_node(rng);
		break;
	case 2:
	case 3:
		destroy_node(rng);
		break;
	case 4:
		shrinkers(rng);
		break;
	case 5:
		bma_group_reclaim(groups_node[groups_some_node(rng)].group, r >> 40);
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
		groups_recharge(rng);
		break;
	}
}

/* A group as small as its stocks cannot be: most calls of who is paid for by it are in the gate. It comes, and goes. */
void groups_churn(uint64_t *rng)
{
	struct bma_group_attr a = {.attr_size = sizeof a, .max = 200000};
	int i = 1, rc;

	while (i < GROUPS_NODES && groups_node[i].group)
		i++;
	if (i == GROUPS_NODES) {
		destroy_node(rng);
		return;
	}
	groups_node[i] = (struct node){.group = bma_group_create(groups_node[0].group, &a),
				       .max = a.max,
				       .bound = a.max,
				       .calm = true};
	CHECK(groups_node[i].group, "group: errno %d", errno);
	for (uint64_t n = test_random(rng) % 12; n--;)
		recharge_to(rng, i);
	usleep((unsigned int)(test_random(rng) % 300));
	rc = bma_group_destroy(groups_node[i].group);
	CHECK(!rc || rc == -EBUSY, "destroy: %d", rc);
	if (!rc)
		forget_node(i);
}
