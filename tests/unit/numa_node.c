/* SPDX-License-Identifier: MIT */
/* Nodes that are named, by calls and attributes; nodes that are not there; and what is said and counted of them. */
#include "nodes.h"
#include "said.h"
#include "topo_xml.h"

Test(numa_node, an_object_of_a_node_that_is_named)
{
	struct bma_cache *c = local();
	void *p;

	for (unsigned int node = 0; node < NODES; node++) {
		for (int i = 0; i < 100; i++) {
			p = bma_cache_alloc_node(c, node, BMA_SLEEP | BMA_ZERO);
			cr_assert_eq(bound_to(p), (int)node);
			cr_assert_eq(*(uint64_t *)p, 0);
			*(uint64_t *)p = 1;
			objs[i] = p;
		}
		give(c, 100);
	}
	/* In their depots there is something now. */
	p = bma_cache_alloc_node(c, 1, 0);
	cr_assert_eq(bound_to(p), 1);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_null(bma_cache_alloc_node(c, 1, 0), "and now nowhere");
	bma_cache_free(c, p);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* The depot has one magazine, with one object of its node at the bottom. */
Test(numa_node, an_object_of_a_node_is_found_in_a_mixed_magazine)
{
	struct bma_cache *c = local();
	struct bma__engine *e = c->engine;
	uintptr_t word, other;

	while ((word = bma__depot_remove(e, &e->depot[1])))
		;
	word = bma__refill_magazine(e, 1);
	other = bma__refill_magazine(e, 2);
	memcpy(bma__mag_elements(bma__mag_base(e->class, word)) + 1,
	       bma__mag_elements(bma__mag_base(e->class, other)) + 1, 13 * sizeof(void *));
	bma__depot_add(e, &e->depot[1], word);
	while (bma__depot_remove(e, &e->depot[0]))
		;
	cr_assert_eq(bma_numa_node_of(bma_cache_alloc_node(c, 1, 0)), 1);
	cr_assert_eq(bma_numa_node_of(bma_cache_alloc_node(c, 1, 0)), 2, "what there is will do");
	cr_assert_eq(bma__depot_depth(&e->depot[1]), 1, "the rest went back");
}

Test(numa_node, an_object_of_this_node_or_none)
{
	struct bma_cache *c = local();
	void *p = bma_cache_alloc_node(c, 2, BMA_SLEEP | BMA_THIS_NODE);

	cr_assert_eq(bound_to(p), 2);
	full = 2;
	errno = 0;
	cr_assert_null(bma_cache_alloc_node(c, 2, BMA_SLEEP | BMA_THIS_NODE));
	cr_assert_eq(errno, ENOMEM);
	cr_assert_eq(figures(2).refused, 1);
	cr_assert_null(bma_cache_alloc_node(c, 2, BMA_THIS_NODE),
		       "that cannot be seen without waiting");
	full = -1;
	bma_cache_free(c, p);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(numa_node, numbers_that_are_no_nodes)
{
	static const unsigned int bad[] = {4, 63, 64, 1023, 1024, UINT32_MAX};
	static const struct bma_numa wrong[] = {
		{.policy = BMA_NUMA_NODE, .node = 4},
		{.policy = BMA_NUMA_NONE + 1},
		{.node = 1},
		{.flags = 2},
		{.policy = BMA_NUMA_INTERLEAVE, .flags = BMA_NUMA_STRICT},
		{.policy = BMA_NUMA_NONE, .flags = BMA_NUMA_STRICT},
	};
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = SIZE};
	struct bma_heap_attr h = {.attr_size = sizeof h, .flags = BMA_HEAP_PRIVATE};
	struct bma_cache *c = local();

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		errno = 0;
		cr_assert_null(bma_cache_alloc_node(c, bad[i], 0));
		cr_assert_eq(errno, 0);
		cr_assert_null(bma_cache_alloc_node(c, bad[i], BMA_SLEEP));
		cr_assert_eq(errno, EINVAL);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		a.numa = h.numa = wrong[i];
		errno = 0;
		cr_assert_null(bma_cache_create(&a), "%zu", i);
		cr_assert_eq(errno, EINVAL);
		errno = 0;
		cr_assert_null(bma_heap_create(&h), "%zu", i);
		cr_assert_eq(errno, EINVAL);
	}
	a.numa = h.numa = (struct bma_numa){.policy = BMA_NUMA_INTERLEAVE};
	a.flags = BMA_CACHE_PERCPU;
	cr_assert_null(bma_cache_create(&a));
	h.flags = 0;
	cr_assert_null(bma_heap_create(&h), "classes that are shared");
	cr_assert_eq(bma_node_stats_get(NODES, &(struct bma_node_stats){0},
					sizeof(struct bma_node_stats)),
		     -ENOENT);
	cr_assert_eq(bma_node_stats_get(0, NULL, 1), -EINVAL);
	cr_assert_eq(bma_numa_node_of(&a), -1);
	/* It has a place of its own, so it shares with nobody. */
	a.flags = BMA_CACHE_MERGE;
	cr_assert(!bma__merge_of(bma_cache_create(&a)));
}

Test(numa_node, large_objects_of_heaps)
{
	struct bma_heap_attr a = {.attr_size = sizeof a, .flags = BMA_HEAP_PRIVATE};
	struct bma_heap *heap, *round;
	void *p;

	machine();
	heap = bma_heap_create(&a);
	on_node = 3;
	p = bma_heap_alloc_flags(heap, 1 << 20, BMA_SLEEP);
	cr_assert_eq(bound_to(p), 3);
	bma_heap_free(heap, p);
	p = bma_heap_alloc_node(heap, 1 << 20, 1, BMA_SLEEP | BMA_THIS_NODE);
	cr_assert_eq(bound_to(p), 1);
	cr_assert_geq(figures(1).slab_bytes, (uint64_t)1 << 20);
	bma_heap_free(heap, p);
	full = 1;
	errno = 0;
	cr_assert_null(bma_heap_alloc_node(heap, 1 << 20, 1, BMA_SLEEP | BMA_THIS_NODE));
	cr_assert_eq(errno, ENOMEM);
	cr_assert_eq(figures(1).refused, 1);
	p = bma_heap_alloc_node(heap, 64, 0, BMA_SLEEP);
	cr_assert_eq(bound_to(p), 0);
	bma_heap_free(heap, p);
	cr_assert_null(bma_heap_alloc_node(heap, 0, 0, BMA_SLEEP));
	cr_assert_null(bma_heap_alloc_node(heap, 1 << 20, 9, BMA_SLEEP));
	cr_assert_eq(errno, EINVAL);
	a.numa.policy = BMA_NUMA_INTERLEAVE;
	round = bma_heap_create(&a);
	p = bma_heap_alloc_flags(round, 1 << 20, BMA_SLEEP);
	cr_assert_eq(bound_to(p), -1, "over all nodes");
	bma_heap_free(round, p);
	cr_assert_eq(bma_heap_destroy(round), 0);
	cr_assert_eq(bma_heap_destroy(heap), 0);
}

static void second_has_no_memory(hwloc_topology_t t)
{
	hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, 1)->attr->numanode.local_memory = 0;
}

/* Its CPUs have a nearest one, but that is not what was asked for. */
Test(numa_node, nothing_is_of_a_node_without_memory)
{
	struct bma_heap_attr a = {.attr_size = sizeof a, .flags = BMA_HEAP_PRIVATE};
	static const size_t sizes[] = {64, 1 << 20};
	struct bma_heap *heap;

	machine();
	describe_machine("numa:4 core:1 pu:1", second_has_no_memory);
	heap = bma_heap_create(&a);
	forget_machine();
	cr_assert_eq(bma__topo.nodes, NODES - 1);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		void *p = bma_heap_alloc_node(heap, sizes[i], 2, BMA_SLEEP | BMA_THIS_NODE);

		cr_assert_eq(bma_numa_node_of(p), 2);
		bma_heap_free(heap, p);
		errno = 0;
		cr_assert_null(bma_heap_alloc_node(heap, sizes[i], 1, BMA_SLEEP));
		cr_assert_eq(errno, EINVAL);
	}
	cr_assert_eq(bma_heap_destroy(heap), 0);
}

static struct bma_cache *refused;

static void make_refused(void)
{
	refused = cache_with((struct bma_numa){0}, 0);
	take(refused, MANY);
}

Test(numa_node, a_system_that_refuses_is_told_of_once)
{
	machine();
	refuse_bind = -EPERM;
	listen_to(make_refused);
	cr_assert_eq(times_said("memory cannot be placed on NUMA nodes (error 1"), 1, "%s", said);
	cr_assert_gt(atomic_load(&bma__node_bind_refused), 1);
	give(refused, MANY);
	cr_assert_eq(bma_cache_destroy(refused), 0);
}

Test(numa_node, a_system_that_does_not_say_where_pages_are_is_believed)
{
	struct bma_numa strict = {.flags = BMA_NUMA_STRICT};

	machine();
	where_says = -EPERM;
	full = 0;
	take(cache_with(strict, 0), MANY);
	cr_assert_eq(figures(0).elsewhere, 0);
}

/* Who pays for each object pays for these, too. */
Test(numa_node, an_object_of_a_node_is_charged)
{
	struct bma_group_attr ga = {.attr_size = sizeof ga, .name = "payer"};
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = SIZE, .flags = BMA_CACHE_MERGE};
	struct bma_group_stats s;
	struct bma_cache *c;
	void *p, *q;

	machine();
	a.group = bma_group_create(NULL, &ga);
	c = bma_cache_create(&a);
	cr_assert_not_null(c);
	p = bma_cache_alloc_node(c, 3, BMA_SLEEP);
	q = bma_cache_alloc_node(c, 3, 0);
	cr_assert_eq(bound_to(p), 3);
	cr_assert_not_null(q);
	cr_assert_eq(bma_group_stat(a.group, &s, sizeof s), 0);
	cr_assert_eq(s.objects, 2);
	cr_assert_eq(s.own - s.stocked, 2 * SIZE);
	bma_cache_free(c, p);
	bma_cache_free(c, q);
	cr_assert_eq(bma_group_stat(a.group, &s, sizeof s), 0);
	cr_assert_eq(s.objects, 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* What found home on a node where nobody uses the cache is no stock there. */
Test(numa_node, a_node_that_nobody_uses_keeps_no_stock)
{
	struct bma_cache *c = local();
	struct bma__engine *e = c->engine;

	for (int i = 0; i < MANY; i++)
		objs[i] = bma_cache_alloc_node(c, 2, BMA_SLEEP);
	on_node = 1;
	give(c, MANY);
	cr_assert_gt(bma__depot_depth(&e->depot[2]), 100);
	for (int i = 0; i < 8; i++)
		bma_poll(0);
	cr_assert_eq(bma__depot_depth(&e->depot[2]), 0);
	cr_assert_gt(bma__depot_depth(&e->depot[0]), 0, "where it was made");
	cr_assert_eq(bma__depot_depth(&e->depot[3]), 0);
}

/* By their numbers CPUs are at home somewhere, and so are their slots and copies. */
Test(numa_node, slots_and_copies_are_on_the_node_of_their_cpu)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64, .flags = BMA_CACHE_PERCPU};
	struct bma_cache *c = local();
	void *p = bma_cache_alloc_flags(bma_cache_create(&a), BMA_SLEEP);

	cr_assert_not_null(p);
	if (bma__cpu.mode != BMA_MODE_RSEQ_CPU) {
		cr_assert_eq(bound_to((void *)bma__slot_at(c->engine, 1)), -2);
		return;
	}
	for (uint32_t cpu = 0; cpu < 2 && cpu < bma__cpu.possible; cpu++) {
		cr_assert_eq(bound_to((void *)bma__slot_at(c->engine, cpu)), (int)cpu);
		cr_assert_eq(bound_to(bma__percpu_at(p, cpu)), (int)cpu);
	}
}

/* Their slabs are of no node, so they are found from each. */
Test(numa_node, per_cpu_objects_fill_their_slabs_from_any_node)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64, .flags = BMA_CACHE_PERCPU};
	struct bma_cache_stats s;
	struct bma_cache *c;
	uint64_t first;

	machine();
	c = bma_cache_create(&a);
	take(c, 3000);
	bma_cache_stats_get(c, &s, sizeof s);
	first = s.slabs;
	on_node = 2;
	take(c, 3000);
	bma_cache_stats_get(c, &s, sizeof s);
	cr_assert_leq(s.slabs, 2 * first + 1, "%llu, then %llu", (unsigned long long)first,
		      (unsigned long long)s.slabs);
}
