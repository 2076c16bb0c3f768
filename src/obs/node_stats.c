/* SPDX-License-Identifier: MIT */
/* Figures of NUMA nodes. */
#include "obs.h"

#include <errno.h>
#include <string.h>

static uint64_t read(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint32_t cpus_of(uint32_t node)
{
	uint32_t n = 0;

	if (bma__topo.nodes == 1)
		return bma__cpu.possible;
	for (uint32_t cpu = 0; cpu < bma__topo.cpus; cpu++)
		n += atomic_load_explicit(&bma__topo.node_of_cpu[cpu], memory_order_relaxed) ==
		     node;
	return n;
}

int bma_node_stats_get(unsigned int nth, struct bma_node_stats *stats, size_t size)
{
	struct bma_node_stats s = {0};
	const struct bma__node *node;
	struct bma__engine *e = NULL;

	if (!stats || !size)
		return -EINVAL;
	if (!bma__is_ready() || nth >= bma__topo.nodes)
		return -ENOENT;
	node = &bma__nodes[nth];
	s.node = bma__topo.os_node[nth];
	s.cpus = cpus_of(nth);
	s.slab_bytes = read(&node->slab_bytes);
	s.home_returns = read(&node->home_returns);
	s.elsewhere = read(&node->elsewhere);
	s.refused = read(&node->refused);
	s.local = read(&node->local);
	s.remote = read(&node->remote);
	while ((e = bma__engine_next(e))) {
		s.local += bma__numa_local(&e->depot[nth]);
		s.remote += read(&e->depot[nth].borrowed);
	}
	memcpy(stats, &s, size < sizeof s ? size : sizeof s);
	return 0;
}
