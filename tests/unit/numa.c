/* SPDX-License-Identifier: MIT */
/* Placement: where objects come from, and where they go home to. */
#include "nodes.h"

Test(numa, memory_is_of_the_node_that_asks)
{
	struct bma_cache *c = local();

	for (on_node = 0; on_node < NODES; on_node++) {
		int there = 0;

		take(c, 1000);
		for (int i = 0; i < 1000; i++) {
			cr_assert_eq(bound_to(objs[i]), bma_numa_node_of(objs[i]));
			there += bound_to(objs[i]) == on_node;
		}
		/* But what the slot had from the last node. */
		cr_assert_geq(there, 1000 - 2 * 14, "node %d: %d", on_node, there);
		cr_assert_geq(figures((unsigned int)on_node).slab_bytes, 15 * BMA__UNIT_SIZE);
	}
}

/* The slot's tape is on the way from one node to the other: its few magazines are the exception. */
Test(numa, what_another_node_frees_goes_home_by_the_magazine)
{
	struct bma_cache *c = local();
	struct bma__engine *e = c->engine;
	uint32_t before;

	take(c, MANY);
	before = bma__depot_depth(&e->depot[0]);
	on_node = 2;
	give(c, MANY);
	cr_assert_geq(bma__depot_depth(&e->depot[0]), before + MANY / 14 - 4);
	cr_assert_leq(bma__depot_depth(&e->depot[2]), 2);
	cr_assert_geq(figures(0).home_returns, MANY - 4 * 14);
	cr_assert_eq(figures(2).home_returns, 0);
	/* And what is of the node itself stays there. */
	on_node = 0;
	take(c, MANY);
	give(c, MANY);
	cr_assert_leq(bma__depot_depth(&e->depot[2]), 2);
}

/* Every other object of each magazine is of another node, so all stay where they were put, until they are drained. */
Test(numa, objects_of_mixed_magazines_find_home_when_they_are_drained)
{
	struct bma_cache *c = local();
	static void *mixed[2 * MANY];

	take(c, MANY);
	for (int i = 0; i < MANY; i++)
		mixed[2 * i] = objs[i];
	on_node = 3;
	take(c, MANY);
	for (int i = 0; i < MANY; i++)
		mixed[2 * i + 1] = objs[i];
	/* The top of a magazine is an object of the one node in the first half, of the other in the second. */
	bma_cache_free_bulk(c, mixed, MANY);
	bma_cache_free(c, mixed[2 * MANY - 1]);
	bma_cache_free_bulk(c, mixed + MANY, MANY - 1);
	cr_assert_leq(figures(0).home_returns, MANY / 8);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_geq(figures(0).home_returns, MANY - 8 * 14);
	cr_assert_eq(figures(0).slab_bytes, 0);
	cr_assert_eq(figures(3).slab_bytes, 0);
}

Test(numa, a_deferred_free_comes_home_too)
{
	struct bma_cache *c = local();

	take(c, MANY);
	on_node = 1;
	for (int i = 0; i < MANY; i++)
		bma_cache_free_rcu(c, objs[i]);
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_geq(figures(0).home_returns, MANY - 4 * 14);
	cr_assert_geq(bma__depot_depth(&c->engine->depot[0]), MANY / 14 - 4);
}

Test(numa, a_call_that_cannot_wait_takes_from_the_nearest_node)
{
	struct bma_cache *c = local();
	struct bma__engine *e = c->engine;
	void *p;

	for (on_node = 1; on_node < 3; on_node++) {
		uintptr_t word = bma__refill_magazine(e, (uint32_t)on_node);

		bma__depot_add(e, &e->depot[on_node], word);
	}
	/* By number the next one after 3 is 0, which has the stock of the creation. */
	while (bma__depot_remove(e, &e->depot[0]))
		;
	on_node = 3;
	p = bma_cache_alloc(c);
	cr_assert_eq(bma_numa_node_of(p), 1);
	cr_assert_eq(figures(3).remote, 1);
	cr_assert_eq(figures(3).local, 0);
	cr_assert_eq(figures(1).local, 0);
	while ((p = bma_cache_alloc(c)) && bma_numa_node_of(p) == 1)
		;
	cr_assert_eq(bma_numa_node_of(p), 2);
	cr_assert_eq(figures(3).remote, 2);
}

/* One that can wait has memory of its own node, while there is any. */
Test(numa, a_call_that_can_wait_leaves_other_nodes_stock_alone)
{
	struct bma_cache *c = local();
	uint32_t stock = bma__depot_depth(&c->engine->depot[0]);

	on_node = 2;
	take(c, 100);
	cr_assert_eq(bma__depot_depth(&c->engine->depot[0]), stock);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(bma_numa_node_of(objs[i]), 2);
}

Test(numa, where_a_node_is_full_others_stock_and_slabs_come_first)
{
	struct bma_cache *c = local();
	struct bma__engine *e = c->engine;

	on_node = 1;
	take(c, 10);
	give(c, 10);
	/* The system's answer to the first page of a slab. */
	full = 2;
	on_node = 2;
	take(c, 100);
	cr_assert_eq(figures(2).elsewhere, 1, "then it is not asked again for a while");
	cr_assert_geq(figures(2).slab_bytes, BMA__UNIT_SIZE);
	cr_assert_lt(figures(2).slab_bytes, 2 * BMA__UNIT_SIZE);
	/* What was left of the slab on 1, and the stock of 0. */
	cr_assert_eq(bma__depot_depth(&e->depot[1]) + bma__depot_depth(&e->depot[0]), 0);
	cr_assert_geq(figures(2).remote, 1);
}

static void *no_memory(size_t bytes)
{
	(void)bytes;
	return NULL;
}

/* Depots are empty, and one slab of node 0 has room. */
Test(numa, what_another_node_has_left_serves_when_there_is_no_new_memory)
{
	struct bma_cache *c = local();
	struct bma__engine *e = c->engine;
	void *p;

	take(c, 1);
	while (bma__depot_remove(e, &e->depot[0]))
		;
	on_node = 3;
	bma__os.map = no_memory;
	while ((p = bma_cache_alloc(c)))
		;
	p = bma_cache_alloc_flags(c, BMA_SLEEP);
	cr_assert_not_null(p);
	cr_assert_eq(bma_numa_node_of(p), 0);
	bma__os.map = bma__os_real.map;
}

Test(numa, strict_is_there_or_nowhere)
{
	struct bma_numa strict = {.policy = BMA_NUMA_NODE, .node = 2, .flags = BMA_NUMA_STRICT};
	struct bma_cache *c;
	uint64_t used;

	machine();
	c = cache_with(strict, 0);
	take(c, 200);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(bma_numa_node_of(objs[i]), 2);
	full = 2;
	used = bma__chunk_used();
	for (int i = 200; i < MANY; i++) {
		errno = 0;
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		if (!objs[i])
			break;
	}
	cr_assert_eq(errno, ENOMEM);
	cr_assert_eq(bma__chunk_used(), used, "what was elsewhere went back");
	cr_assert_geq(figures(2).refused, 1);
	cr_assert_eq(figures(1).refused, 0);
	full = -1;
	cr_assert_not_null(bma_cache_alloc_flags(c, BMA_SLEEP));
}

Test(numa, a_strict_cache_on_a_full_node_cannot_be_made)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = SIZE};

	machine();
	a.numa = (struct bma_numa){.policy = BMA_NUMA_NODE, .node = 3, .flags = BMA_NUMA_STRICT};
	full = 3;
	cr_assert_null(bma_cache_create(&a));
	cr_assert_eq(errno, ENOMEM);
	cr_assert_geq(figures(3).refused, 1);
}

Test(numa, slabs_that_are_interleaved_go_round)
{
	struct bma_numa round = {.policy = BMA_NUMA_INTERLEAVE};
	struct bma_cache *c;
	int on[NODES] = {0};

	machine();
	c = cache_with(round, 0);
	take(c, MANY);
	for (int i = 0; i < MANY; i++)
		on[bound_to(objs[i])]++;
	for (int i = 0; i < NODES; i++)
		cr_assert(on[i] > MANY / NODES - 100 && on[i] < MANY / NODES + 100, "%d: %d", i,
			  on[i]);
}

Test(numa, where_the_system_puts_it)
{
	struct bma_numa none = {.policy = BMA_NUMA_NONE};
	struct bma_cache *c;

	machine();
	c = cache_with(none, 0);
	take(c, MANY);
	for (int i = 0; i < MANY; i++) {
		cr_assert_eq(bound_to(objs[i]), -2);
		cr_assert_eq(bma_numa_node_of(objs[i]), -1);
	}
	give(c, MANY);
	cr_assert_eq(bma_cache_destroy(c), 0);
}
