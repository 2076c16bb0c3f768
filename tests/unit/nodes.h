/* SPDX-License-Identifier: MIT */
/* A machine of four nodes that is pretended: which CPU one is on, and what the system says of pages, is the test's to say. */
#ifndef BMA_UNIT_NODES_H
#define BMA_UNIT_NODES_H

#include "cache/cache.h"

#include <bma/bma.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 4, SIZE = 1024, MANY = 4000 };

static int on_node;

/* In the place of the C library's: one CPU a node. */
int sched_getcpu(void)
{
	return on_node;
}

/* What was bound to what: one node, or all. */
static struct binding {
	uintptr_t begin, end;
	int node;
} bindings[4096];
static int nbindings;
static int refuse_bind;

static inline int fake_bind(void *addr, size_t bytes, const struct bma__os_nodes *nodes,
			    bool interleave)
{
	int node = interleave ? -1 : __builtin_ctzl(nodes->bits[0]);

	if (refuse_bind)
		return refuse_bind;
	cr_assert_lt(nbindings, 4096);
	bindings[nbindings++] = (struct binding){(uintptr_t)addr, (uintptr_t)addr + bytes, node};
	return 0;
}

static inline int bound_to(const void *p)
{
	for (int i = nbindings; i--;) {
		if ((uintptr_t)p >= bindings[i].begin && (uintptr_t)p < bindings[i].end)
			return bindings[i].node;
	}
	return -2;
}

/* A node of which the system has no memory left: what was to be there is on the next one. */
static int full = -1, where_says;

static inline int fake_where(void *const *pages, size_t n, int *where)
{
	for (size_t i = 0; i < n; i++) {
		where[i] = bound_to(pages[i]);
		where[i] = where[i] < 0 ? 0 : where[i] == full ? (full + 1) % NODES : where[i];
	}
	return where_says;
}

static inline void machine(void)
{
	setenv("HWLOC_SYNTHETIC", "numa:4 core:1 pu:1", 1);
	setenv("BMA_CONF", "worker:off", 1);
	bma__os.bind = fake_bind;
	bma__os.where = fake_where;
}

static inline struct bma_cache *cache_with(struct bma_numa numa, uint64_t flags)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = SIZE, .flags = flags, .batch = 14, .numa = numa};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c, "%s", strerror(errno));
	cr_assert_eq(bma__topo.nodes, NODES);
	return c;
}

static inline struct bma_cache *local(void)
{
	machine();
	return cache_with((struct bma_numa){0}, 0);
}

static void *objs[MANY];

static inline void take(struct bma_cache *c, int n)
{
	for (int i = 0; i < n; i++) {
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		cr_assert_not_null(objs[i]);
	}
}

static inline void give(struct bma_cache *c, int n)
{
	for (int i = 0; i < n; i++)
		bma_cache_free(c, objs[i]);
}

static inline struct bma_node_stats figures(unsigned int node)
{
	struct bma_node_stats s;

	cr_assert_eq(bma_node_stats_get(node, &s, sizeof s), 0);
	return s;
}

#endif /* BMA_UNIT_NODES_H */
