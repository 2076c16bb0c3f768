/* SPDX-License-Identifier: MIT */
/* Objects of a node that the caller names, see numa.h. */
#include "cache.h"

const char *bma__numa_wrong(const struct bma_numa *numa)
{
	if (numa->policy > BMA_NUMA_NONE)
		return "numa.policy is none";
	if (numa->flags & ~BMA_NUMA_STRICT)
		return "numa.flags has an unknown bit";
	if (numa->flags && numa->policy > BMA_NUMA_NODE)
		return "BMA_NUMA_STRICT with a policy that names no node";
	if (numa->policy != BMA_NUMA_NODE)
		return numa->node ? "numa.node without BMA_NUMA_NODE" : NULL;
	if (bma__topo_node_by_os(numa->node) >= bma__topo.nodes ||
	    bma__topo.os_node[bma__topo_node_by_os(numa->node)] != numa->node)
		return "numa.node is no node that has memory";
	return NULL;
}

/* Is @obj of a slab that is meant to be on @node? */
static bool is_of(const void *obj, uint32_t node)
{
	const struct bma__slab *s = bma__chunk_slab(obj);

	return s && s->node == node;
}

/* Bring an object of @node to the top of a magazine in hand, if it has one. */
static bool bring_up(const struct bma__engine *e, uintptr_t word, uint32_t node)
{
	void **objs = bma__mag_elements(bma__mag_base(e->class, word));
	uint32_t top = bma__mag_count(e->class, word) - 1, i = top;

	while (!is_of(objs[i], node)) {
		if (!i)
			return false;
		i--;
	}
	if (i != top) {
		void *obj = objs[i];

		objs[i] = objs[top];
		objs[top] = obj;
	}
	return true;
}

/* One object out of a magazine in hand, the rest of which goes to the depot of @node. */
static void *take_top(struct bma__engine *e, uint32_t node, uintptr_t word)
{
	void *obj = *(void **)word;

	if (bma__unlikely(e->flags & BMA__CACHE_TOOLS))
		bma__tools_forget((void *)word, sizeof(void *));
	word -= sizeof(void *);
	if (bma__mag_count(e->class, word))
		bma__depot_add(e, &e->depot[node], word);
	else
		bma__depot_put_empty(e, word);
	return obj;
}

/* An object of @node, or, if there is none at hand, of @any. */
static void *from_depot(struct bma__engine *e, uint32_t node, bool any)
{
	struct bma__depot *d = &e->depot[node];
	uintptr_t word = bma__depot_get_on(e, node);

	if (!word)
		return NULL;
	/* It comes back: no slot took it. */
	atomic_fetch_add_explicit(&d->removed, 1, memory_order_relaxed);
	if (bma__topo.nodes == 1 || bring_up(e, word, node) || any)
		return take_top(e, node, word);
	bma__depot_add(e, d, word);
	return NULL;
}

static void *from_slabs(struct bma__engine *e, uint32_t node)
{
	uintptr_t word = bma__refill_magazine(e, node);

	return word ? take_top(e, node, word) : NULL;
}

/* Whatever is nearest. */
static void *from_any(struct bma__engine *e, uint32_t node)
{
	void *obj = NULL;

	if (e->numa.flags & BMA_NUMA_STRICT)
		return NULL;
	bma__topo_for_each_from (node, other, i) {
		(void)i;
		obj = from_depot(e, other, true);
		if (obj)
			break;
	}
	return obj;
}

static void *alloc(struct bma__engine *e, const struct bma__numa_want *want)
{
	void *obj;

	if (want->only)
		return bma__engine_carve_there(e, want->node);
	/* Who cannot carve for himself needs stock there. */
	if (!want->sleep)
		bma__engine_use_node(e, want->node);
	obj = from_depot(e, want->node, false);
	if (!obj && want->sleep)
		obj = from_slabs(e, want->node);
	return obj ? obj : from_any(e, want->node);
}

void *bma__numa_alloc(struct bma__engine *e, const struct bma__numa_want *want)
{
	struct bma__ticket ticket = bma__ticket_open(e);
	void *obj = alloc(e, want);

	bma__ticket_close(&ticket);
	return obj;
}

uint32_t bma__numa_node_for_large(const struct bma_numa *numa)
{
	switch (numa->policy) {
	case BMA_NUMA_NODE:
		return bma__topo_node_by_os(numa->node);
	case BMA_NUMA_INTERLEAVE:
		return BMA__NODE_INTERLEAVE;
	case BMA_NUMA_NONE:
		return BMA__NODE_ANY;
	default:
		return bma__topo_node_now();
	}
}

static uint64_t read(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

uint64_t bma__numa_local(const struct bma__depot *d)
{
	uint64_t others = read(&d->lent) + read(&d->removed), gets = bma__count_read(&d->gets);

	return gets > others ? gets - others : 0;
}

void bma__numa_engine_gone(const struct bma__engine *e)
{
	for (uint32_t node = 0; node < bma__topo.nodes; node++) {
		const struct bma__depot *d = &e->depot[node];

		atomic_fetch_add_explicit(&bma__nodes[node].local, bma__numa_local(d),
					  memory_order_relaxed);
		atomic_fetch_add_explicit(&bma__nodes[node].remote, read(&d->borrowed),
					  memory_order_relaxed);
	}
}
