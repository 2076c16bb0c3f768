/* SPDX-License-Identifier: MIT */
/* Who pays: handles are opened and closed, at the beginning, between rounds and at the end; see groups.h. */
#include "groups.h"

#include <errno.h>

#include "test.h"

#define HANDLES 4
#define SHAPES 4
#define TRIES 50

struct payer groups_payer[GROUPS_PAYERS];
int groups_payers;
int groups_source[GROUPS_SOURCES];
uint64_t groups_root_slabs;

static uint64_t begun, payers_begun, groups_begun;

static const struct {
	size_t size;
	uint64_t flags;
} shapes[SHAPES] = {{24, 0}, {96, 0}, {4096, 0}, {64, BMA_CACHE_PERCPU}};

/* Where a private one is to have its first objects there must be room. */
static int open_payer(enum kind kind, unsigned int shape, int node)
{
	struct payer *p = &groups_payer[groups_payers];
	struct bma_cache_attr c = {.attr_size = sizeof c, .group = groups_node[node].group};
	struct bma_heap_attr h = {.attr_size = sizeof h, .group = c.group};
	struct bma_cache_stats s;

	CHECK(groups_payers < GROUPS_PAYERS, "too many payers");
	*p = (struct payer){.kind = kind, .shape = shape, .open = true, .left = true, .node = node};
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
	p->loosest = groups_tightest(node);
	return groups_payers++;
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
	if (groups_payers == GROUPS_PAYERS)
		return;
	if (p->kind == SHARED_HEAP)
		empty_large();
	groups_source[i] = open_payer(p->kind, p->shape, groups_some_node(rng));
	close_payer(p);
}

void groups_make(uint64_t *rng)
{
	int n = 0;

	groups_node[0] = (struct node){.group = bma_group_root(),
				       .parent = -1,
				       .max = BMA_GROUP_NO_LIMIT,
				       .bound = BMA_GROUP_NO_LIMIT};
	begun = groups_stat(0).current;
	payers_begun = groups_stat(0).payers;
	groups_begun = groups_stat(0).groups;
	for (unsigned int shape = 0; shape < SHAPES; shape++) {
		for (int i = 0; i < HANDLES; i++)
			groups_source[n++] = open_payer(MERGED, shape, 0);
	}
	/* The words that stocks are in. */
	groups_root_slabs = groups_stat(0).slab_bytes;
	for (int i = 0; i < 2; i++)
		groups_source[n++] = open_payer(SHARED_HEAP, 0, 0);
	for (unsigned int i = 0; i < 2; i++)
		groups_source[n++] = open_payer(PRIVATE_CACHE, i, 0);
	for (int i = 0; i < 2; i++)
		groups_source[n++] = open_payer(PRIVATE_HEAP, 0, 0);
	for (int i = 0; i < GROUPS_NODES; i++)
		groups_make_node(rng);
	for (int i = 0; i < 200; i++)
		groups_recharge(rng);
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
		s = groups_stat(0);
		if (s.current == begun && s.payers == payers_begun && s.groups == groups_begun)
			return;
	}
	CHECK(0, "the root has %llu bytes, %llu payers, %llu groups; it had %llu, %llu, %llu",
	      (unsigned long long)s.current, (unsigned long long)s.payers,
	      (unsigned long long)s.groups, (unsigned long long)begun,
	      (unsigned long long)payers_begun, (unsigned long long)groups_begun);
}
