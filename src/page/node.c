/* SPDX-License-Identifier: MIT */
/* Placement, see node.h. */
#include "page.h"

#include <errno.h>

#define FULL_NS 100000000u
#define PAGES_MOST 64u /* asked for at once */

struct bma__node bma__nodes[BMA__NODES_MAX];
_Atomic uint64_t bma__node_bind_refused;

static void refused(int rc)
{
	if (!atomic_fetch_add_explicit(&bma__node_bind_refused, 1, memory_order_relaxed))
		bma__log_line("memory cannot be placed on NUMA nodes (error %d of mbind): it is "
			      "where the system puts it",
			      -rc);
}

void bma__node_bind(void *addr, size_t bytes, uint32_t node)
{
	struct bma__os_nodes nodes = {{0}};
	int rc;

	if (bma__topo.nodes == 1 || node == BMA__NODE_ANY)
		return;
	for (uint32_t i = 0; i < bma__topo.nodes; i++) {
		if (node == i || node == BMA__NODE_INTERLEAVE)
			bma__os_nodes_add(&nodes, bma__topo.os_node[i]);
	}
	rc = bma__os.bind(addr, bytes, &nodes, node == BMA__NODE_INTERLEAVE);
	/* A machine that is only pretended has nodes that the system does not know. */
	if (rc && (bma__topo.real || rc != -EINVAL))
		refused(rc);
}

/* So that there is a page. Nobody else has the byte. */
static void touch(char *at)
{
	*(volatile char *)at = *(volatile char *)at;
}

static char *next_page(const char *at)
{
	return (char *)(((uintptr_t)at | (BMA_PAGE - 1)) + 1);
}

static bool on_node(void *const *pages, size_t n, uint32_t node)
{
	int where[PAGES_MOST];

	/* Nobody knows where the pages of a machine are that is only described, but a test. */
	if (!bma__topo.real && bma__os.where == bma__os_real.where)
		return true;
	/* It may not say: a kernel without NUMA, a filter. Then it is as good as can be. */
	if (bma__os.where(pages, n, where))
		return true;
	for (size_t i = 0; i < n; i++) {
		if (where[i] >= 0 && bma__topo_node_by_os((uint32_t)where[i]) != node)
			return false;
	}
	return true;
}

bool bma__node_settle(void *addr, size_t bytes, uint32_t node, bool all)
{
	void *pages[PAGES_MOST];
	bool there = true;
	size_t n = 0;
	char *end;

	if (bma__topo.nodes == 1 || node >= bma__topo.nodes)
		return true;
	end = (char *)addr + (all ? bytes : 1);
	for (char *at = addr; at < end && there; at = next_page(at)) {
		touch(at);
		pages[n++] = at;
		if (n == PAGES_MOST || next_page(at) >= end) {
			there = on_node(pages, n, node);
			n = 0;
		}
	}
	if (there)
		return true;
	atomic_fetch_add_explicit(&bma__nodes[node].elsewhere, 1, memory_order_relaxed);
	atomic_store_explicit(&bma__nodes[node].full_until, bma__os_now() + FULL_NS,
			      memory_order_relaxed);
	return false;
}

bool bma__node_is_full(uint32_t node)
{
	uint64_t until;

	if (node >= bma__topo.nodes)
		return false;
	until = atomic_load_explicit(&bma__nodes[node].full_until, memory_order_relaxed);
	return bma__unlikely(until) && bma__os_now() < until;
}
