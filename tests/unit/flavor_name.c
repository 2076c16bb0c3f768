/* SPDX-License-Identifier: MIT */
/* Flavours are told apart by the name of their table; one that is named otherwise is known by its address. */
#include "cache/cache.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <urcu/flavor.h>

extern const struct rcu_flavor_struct urcu_memb_flavor;

/* Exported, for the dynamic linker is asked. */
extern struct rcu_flavor_struct urcu_own_flavor, urcu__flavor, urcu_own_table, own_urcu_flavor,
	urcu_whose_name_is_too_long_for_the_room_flavor, urcu_several_flavor[2];
struct rcu_flavor_struct urcu_own_flavor, urcu__flavor, urcu_own_table, own_urcu_flavor,
	urcu_whose_name_is_too_long_for_the_room_flavor, urcu_several_flavor[2];

static void expect_name(const struct rcu_flavor_struct *table, const char *name)
{
	struct bma__rcu rcu;
	char address[32];

	snprintf(address, sizeof address, "%p", (const void *)table);
	bma__rcu_init(&rcu, table);
	cr_assert_str_eq(rcu.name, name ? name : address);
}

Test(flavor_name, what_a_table_is_called)
{
	static struct rcu_flavor_struct hidden[2];
	struct rcu_flavor_struct on_stack;

	expect_name(&urcu_memb_flavor, "memb");
	expect_name(NULL, "memb");
	expect_name(&urcu_own_flavor, "own");
	expect_name(&urcu__flavor, NULL);
	expect_name(&urcu_own_table, NULL);
	expect_name(&own_urcu_flavor, NULL);
	expect_name(&urcu_whose_name_is_too_long_for_the_room_flavor, NULL);
	expect_name(&urcu_several_flavor[0], "several");
	expect_name(&urcu_several_flavor[1], NULL);
	expect_name(&hidden[1], NULL);
	expect_name(&on_stack, NULL);
}

Test(flavor_name, nothing_is_known_of_readers_of_an_own_one)
{
	struct bma__rcu rcu;

	bma__rcu_init(&rcu, &urcu_own_flavor);
	cr_assert_null(bma__rcu_reader(&rcu));
	bma__rcu_before_fork(&rcu, NULL);
	cr_assert_not(bma__rcu_after_fork_child(&rcu), "so none may be waited for in a child");
}

Test(flavor_name, there_is_room_for_so_many)
{
	static struct rcu_flavor_struct tables[BMA__FLAVORS_MAX + 1];

	for (unsigned int i = 0; i < BMA__FLAVORS_MAX; i++) {
		struct bma__flavor *f = bma__flavor_get(&tables[i]);

		cr_assert_not_null(f);
		cr_assert_eq(f, bma__flavor_get(&tables[i]), "one each");
	}
	cr_assert_null(bma__flavor_get(&tables[BMA__FLAVORS_MAX]));
	cr_assert_eq(bma__flavor_number(), BMA__FLAVORS_MAX);
}
