/* SPDX-License-Identifier: MIT */
/* The tree of groups: names, paths, handles, limits as settings, what each call refuses. */
#include "group.h"

#include "said.h"

#include <stdio.h>
#include <stdlib.h>

#define REFUSED(call, number)                                                                      \
	do {                                                                                       \
		errno = 0;                                                                         \
		cr_assert_null(call);                                                              \
		cr_assert_eq(errno, number, "%s: %d", #call, errno);                               \
	} while (0)

Test(group, the_root_is_there)
{
	struct bma_group *root = bma_group_root();
	struct bma_group_stats s;
	char path[4];

	cr_assert_not_null(root);
	cr_assert_eq(bma_group_root(), root);
	s = stat_of(root);
	cr_assert_str_eq(s.name, "");
	cr_assert_eq(s.depth, 0);
	cr_assert_eq(s.groups, 0);
	cr_assert_eq(s.max, BMA_GROUP_NO_LIMIT);
	cr_assert_eq(s.high, BMA_GROUP_NO_LIMIT);
	cr_assert_eq(bma_group_path(root, path, sizeof path), 1);
	cr_assert_str_eq(path, "/");
	cr_assert_eq(bma_group_find("/"), root);
}

Test(group, calls_before_the_first_use)
{
	struct bma_group_stats s;

	cr_assert_eq(bma_group_stat((struct bma_group *)4097, &s, sizeof s), -ESTALE);
	cr_assert_eq(bma_group_reset_peak((struct bma_group *)4097), -ESTALE);
	REFUSED(bma_group_find("/nobody"), ENOENT);
	cr_assert_not_null(bma_group_find("/"));
}

Test(group, paths)
{
	struct bma_group *agent = make(NULL, "agent"), *flows = make(agent, "flows"), *other;
	char path[64];

	other = make(NULL, "flows");
	cr_assert_eq(bma_group_find("/agent"), agent);
	cr_assert_eq(bma_group_find("/agent/flows"), flows);
	cr_assert_eq(bma_group_find("/flows"), other);
	cr_assert_eq(bma_group_path(flows, path, sizeof path), 12);
	cr_assert_str_eq(path, "/agent/flows");
	memset(path, 'x', sizeof path);
	cr_assert_eq(bma_group_path(flows, path, 7), 12);
	cr_assert_str_eq(path, "/agent");
	cr_assert_eq(path[7], 'x');
	cr_assert_eq(bma_group_path(flows, path, 1), 12);
	cr_assert_str_eq(path, "");
	cr_assert_eq(bma_group_path(flows, NULL, 0), 12);
	cr_assert_eq(bma_group_path(flows, path, 12), 12);
	cr_assert_str_eq(path, "/agent/flow");
	cr_assert_eq(bma_group_path(flows, path, 13), 12);
	cr_assert_str_eq(path, "/agent/flows");
	REFUSED(bma_group_find("/agent/flow"), ENOENT);
	REFUSED(bma_group_find("/agent/flows/x"), ENOENT);
	REFUSED(bma_group_find("/x/flows"), ENOENT);
	REFUSED(bma_group_find("/a name that is longer than any name can be"), ENOENT);
	REFUSED(bma_group_find(NULL), EINVAL);
	REFUSED(bma_group_find(""), EINVAL);
	REFUSED(bma_group_find("agent"), EINVAL);
	REFUSED(bma_group_find("//agent"), EINVAL);
	REFUSED(bma_group_find("/agent/"), EINVAL);
	REFUSED(bma_group_find("/x/"), EINVAL);
	cr_assert_eq(stat_of(bma_group_root()).groups, 2);
	cr_assert_eq(stat_of(agent).groups, 1);
	cr_assert_eq(stat_of(flows).depth, 2);
}

Test(group, the_longest_path_is_whole)
{
	struct bma_group *g = NULL;
	char path[BMA__GROUP_PATH_MAX], wanted[BMA__GROUP_PATH_MAX] = "";

	for (int i = 0; i < BMA_GROUP_DEPTH_MAX; i++) {
		g = make(g, "0123456789012345678901234567890");
		strcat(wanted, "/0123456789012345678901234567890");
	}
	cr_assert_eq(bma_group_path(g, path, sizeof path), 512);
	cr_assert_str_eq(path, wanted);
	cr_assert_eq(bma_group_find(path), g);
	REFUSED(bma_group_create(g, NULL), ELOOP);
}

Test(group, names)
{
	struct bma_group_attr a = {.attr_size = sizeof a};
	struct bma_group *parent = make(NULL, "parent"), *g;
	char name[33] = "01234567890123456789012345678901";

	a.name = "parent";
	REFUSED(bma_group_create(NULL, &a), EEXIST);
	cr_assert_not_null(bma_group_create(parent, &a));
	REFUSED(bma_group_create(parent, &a), EEXIST);
	a.name = "a/b";
	REFUSED(bma_group_create(NULL, &a), EINVAL);
	a.name = "";
	REFUSED(bma_group_create(NULL, &a), EINVAL);
	a.name = name;
	REFUSED(bma_group_create(NULL, &a), EINVAL);
	name[31] = 0;
	g = bma_group_create(NULL, &a);
	cr_assert_not_null(g);
	name[0] = 'x'; /* it was copied */
	cr_assert_str_eq(stat_of(g).name, "0123456789012345678901234567890");
	/* Those without a name do not take anybody's. */
	a.name = "group-1";
	cr_assert_not_null(bma_group_create(NULL, &a));
	g = bma_group_create(NULL, NULL);
	cr_assert_str_eq(stat_of(g).name, "group-2");
	g = bma_group_create(NULL, NULL);
	cr_assert_str_eq(stat_of(g).name, "group-3");
}

Test(group, what_create_refuses)
{
	struct bma_group_attr a = {.attr_size = sizeof a - 1};

	REFUSED(bma_group_create(NULL, &a), E2BIG);
	a.attr_size = sizeof a + 8;
	REFUSED(bma_group_create(NULL, &a), E2BIG);
	a.attr_size = sizeof a;
	a.flags = 2;
	REFUSED(bma_group_create(NULL, &a), EINVAL);
	a.flags = 0;
	a.max = 99;
	a.min = 100;
	REFUSED(bma_group_create(NULL, &a), EINVAL);
	a.max = 100;
	cr_assert_not_null(bma_group_create(NULL, &a));
	a.max = 0;
	cr_assert_not_null(bma_group_create(NULL, &a));
	cr_assert_eq(stat_of(bma_group_root()).groups, 2);
}

Test(group, limits_are_stored)
{
	struct bma_group_attr a = {.attr_size = sizeof a, .max = 4, .high = 3, .low = 2, .min = 1};
	struct bma_group *g = bma_group_create(NULL, &a);
	struct bma_group_stats s = stat_of(g);

	cr_assert(s.max == 4 && s.high == 3 && s.low == 2 && s.min == 1);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_MAX, 40), 0);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_HIGH, 30), 0);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_LOW, 20), 0);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_MIN, 10), 0);
	s = stat_of(g);
	cr_assert(s.max == 40 && s.high == 30 && s.low == 20 && s.min == 10);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_MAX, 9), -EINVAL);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_MIN, 41), -EINVAL);
	cr_assert_eq(bma_group_set(g, (enum bma_group_limit)4, 1), -EINVAL);
	cr_assert_eq(bma_group_set(g, (enum bma_group_limit) - 1, 1), -EINVAL);
	s = stat_of(g);
	cr_assert(s.max == 40 && s.high == 30 && s.low == 20 && s.min == 10);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_MAX, 10), 0);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_MIN, 10), 0);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_MAX, BMA_GROUP_NO_LIMIT), 0);
	cr_assert_eq(stat_of(g).max, BMA_GROUP_NO_LIMIT);
}

Test(group, stat_writes_what_fits)
{
	struct bma_group *g = make(NULL, "g");
	unsigned char bytes[sizeof(struct bma_group_stats) + 8];

	memset(bytes, 0xee, sizeof bytes);
	cr_assert_eq(bma_group_stat(g, (struct bma_group_stats *)(void *)bytes, 33), 0);
	cr_assert_str_eq((char *)bytes, "g");
	cr_assert_eq(bytes[32], 1);
	cr_assert_eq(bytes[33], 0xee);
	cr_assert_eq(bma_group_stat(g, (struct bma_group_stats *)(void *)bytes, sizeof bytes), 0);
	cr_assert_eq(bytes[sizeof(struct bma_group_stats)], 0xee);
	cr_assert_eq(bma_group_stat(g, NULL, 8), -EINVAL);
	cr_assert_eq(bma_group_stat(g, (struct bma_group_stats *)(void *)bytes, 0), -EINVAL);
}

static uint64_t nothing(void *ctx)
{
	(void)ctx;
	return 0;
}

static uint64_t scan_nothing(uint64_t bytes, void *ctx)
{
	(void)bytes, (void)ctx;
	return 0;
}

static int count_visits(struct bma_group *g, const struct bma_group_stats *s, void *arg)
{
	(void)g, (void)s;
	++*(int *)arg;
	return 0;
}

/* All calls say so of one that is gone. */
static void all_refuse(struct bma_group *g)
{
	struct bma_group_stats s;
	int visits = 0;

	REFUSED(bma_group_create(g, NULL), ESTALE);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_MAX, 1), -ESTALE);
	cr_assert_eq(bma_group_reset_peak(g), -ESTALE);
	cr_assert_eq(bma_group_path(g, NULL, 0), -ESTALE);
	cr_assert_eq(bma_group_stat(g, &s, sizeof s), -ESTALE);
	cr_assert_eq(bma_group_visit(g, count_visits, &visits), -ESTALE);
	cr_assert_eq(visits, 0);
	REFUSED(bma_shrinker_register(g, nothing, scan_nothing, NULL), ESTALE);
	cr_assert_eq(bma_group_notify(g, 1, 0), -EINVAL); /* not nonblocking */
	cr_assert_eq(bma_group_unnotify(g, 0), -ESTALE);
	cr_assert_null(bma__group_of(g));
}

Test(group, a_handle_that_outlived_its_group)
{
	struct bma_group *g = make(NULL, "g"), *again;

	take_away(g);
	all_refuse(g);
	REFUSED(bma_group_find("/g"), ENOENT);
	again = make(NULL, "g");
	cr_assert_eq((uintptr_t)g >> 10, (uintptr_t)again >> 10, "the place is used again");
	cr_assert_neq(g, again);
	all_refuse(g);
	cr_assert_eq(bma_group_find("/g"), again);
}

Test(group, what_never_was_a_handle)
{
	struct bma_group *g = make(NULL, "g");
	uintptr_t place = (uintptr_t)g & ~(uintptr_t)1023;

	all_refuse((struct bma_group *)place);
	all_refuse((struct bma_group *)(place + 1023));
	all_refuse((struct bma_group *)(place + 1024 + 1)); /* nobody stood there yet */
	all_refuse((struct bma_group *)(place + 1024));
	all_refuse((struct bma_group *)(place + ((uintptr_t)65536 << 10) + 1));
	all_refuse((struct bma_group *)(place - 2 * 1024 + 1));
	all_refuse((struct bma_group *)(uintptr_t)1);
	cr_assert_null(bma__group_of(NULL));
}

Test(group, a_generation_comes_back_after_all_others)
{
	struct bma_group *first = make(NULL, "g"), *g = first;

	for (int i = 0; i < 1022; i++) {
		take_away(g);
		g = make(NULL, "g");
		cr_assert_null(bma__group_of(first), "%d", i);
		cr_assert_eq((uintptr_t)g >> 10, (uintptr_t)first >> 10);
		cr_assert_neq((uintptr_t)g & 1023, 0);
	}
	take_away(g);
	cr_assert_null(bma__group_of(first), "of the place's generation, but nobody is there");
	g = make(NULL, "g");
	cr_assert_eq(g, first);
}

Test(group, places_are_used_first_in_first_out)
{
	struct bma_group *g[4], *again;

	for (int i = 0; i < 4; i++)
		g[i] = make(NULL, NULL);
	take_away(g[2]);
	take_away(g[0]);
	take_away(g[3]);
	for (int i = 0; i < 3; i++) {
		static const int order[] = {2, 0, 3};

		again = make(NULL, NULL);
		cr_assert_eq((uintptr_t)again >> 10, (uintptr_t)g[order[i]] >> 10, "%d", i);
	}
	again = make(NULL, NULL);
	cr_assert_eq((uintptr_t)again >> 10, ((uintptr_t)g[3] >> 10) + 1);
}

Test(group, what_stood_at_a_place_is_forgotten)
{
	struct bma_group_attr a = {
		.attr_size = sizeof a, .max = 100, .high = 50, .low = 20, .min = 10};
	struct bma_group *g = bma_group_create(NULL, &a), *again;
	struct bma_group_stats s, fresh = {.depth = 2};

	cr_assert_eq(charge(g, 60), 0);
	cr_assert_eq(charge(g, 60), -EDQUOT);
	bma__group_fail(in(g), BMA_GROUP_FAIL_MEMORY);
	uncharge(g, 60);
	take_away(g);
	make(NULL, "other");
	cr_assert_eq(bma_group_find("/other"), (void *)((uintptr_t)g + 1));
	again = make(bma_group_find("/other"), "g");
	take_away(again);
	again = make(bma_group_find("/other"), "again");
	s = stat_of(again);
	strcpy(fresh.name, "again");
	fresh.max = fresh.high = BMA_GROUP_NO_LIMIT;
	cr_assert_eq(memcmp(&s, &fresh, sizeof s), 0);
	s = stat_of(bma_group_find("/other"));
	fresh.depth = 1;
	fresh.groups = 1;
	memset(fresh.name, 0, sizeof fresh.name);
	strcpy(fresh.name, "other");
	cr_assert_eq(memcmp(&s, &fresh, sizeof s), 0);
}

Test(group, an_offline_one_keeps_its_name)
{
	struct bma_group_attr a = {.attr_size = sizeof a,
				   .name = "leaver",
				   .flags = BMA_GROUP_OFFLINE,
				   .max = 10,
				   .high = 9,
				   .low = 8,
				   .min = 7};
	struct bma_group *g = bma_group_create(NULL, &a);
	struct bma_group_stats s;
	int visits = 0;
	char path[16];

	take_away(g);
	s = stat_of(g);
	cr_assert_eq(s.offline, 1);
	cr_assert_str_eq(s.name, "leaver");
	cr_assert(s.max == BMA_GROUP_NO_LIMIT && s.high == BMA_GROUP_NO_LIMIT);
	cr_assert(!s.low && !s.min);
	cr_assert_eq(bma_group_find("/leaver"), g);
	cr_assert_eq(bma_group_path(g, path, sizeof path), 7);
	cr_assert_eq(bma_group_visit(NULL, count_visits, &visits), 0);
	cr_assert_eq(visits, 2);
	REFUSED(bma_group_create(g, NULL), ESTALE);
	REFUSED(bma_group_create(NULL, &a), EEXIST);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_MAX, 1), -ESTALE);
	cr_assert_eq(bma_group_reset_peak(g), -ESTALE);
	REFUSED(bma_shrinker_register(g, nothing, scan_nothing, NULL), ESTALE);
	free_offline(g);
	all_refuse(g);
	cr_assert_not_null(bma_group_create(NULL, &a));
	cr_assert_eq(stat_of(bma_group_root()).groups, 1);
}

Test(group, brothers_come_out_of_any_place)
{
	struct bma_group *g[3];
	static const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}};

	for (int o = 0; o < 4; o++) {
		for (int i = 0; i < 3; i++)
			g[i] = make(NULL, NULL);
		for (int i = 0; i < 3; i++) {
			int visits = 0;

			take_away(g[orders[o][i]]);
			cr_assert_eq(bma_group_visit(NULL, count_visits, &visits), 0);
			cr_assert_eq(visits, 3 - i);
			cr_assert_eq(stat_of(bma_group_root()).groups, (uint64_t)(2 - i));
		}
	}
}

Test(group, as_many_as_can_be)
{
	struct bma_group *parent = NULL, *last = NULL;

	for (int i = 1; i < BMA_GROUPS_MAX; i++) {
		if (i % 1000 == 1)
			parent = make(NULL, NULL);
		else
			last = make(i % 3 ? parent : NULL, NULL);
	}
	REFUSED(bma_group_create(NULL, NULL), ENOSPC);
	take_away(last);
	cr_assert_not_null(bma_group_create(NULL, NULL));
	REFUSED(bma_group_create(NULL, NULL), ENOSPC);
}

/* So many that they share what names are looked up by. */
Test(group, a_name_is_the_whole_of_it)
{
	struct bma_group *a = make(NULL, "a");
	char path[32];

	make(NULL, "b");
	for (int i = 10000; i < 30000; i++) {
		snprintf(path, sizeof path, "n%d", i);
		make(a, path);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof path, "/a/n%d", i);
		REFUSED(bma_group_find(path), ENOENT);
	}
	for (int i = 10000; i < 30000; i++) {
		snprintf(path, sizeof path, "/a/n%d", i);
		cr_assert_str_eq(stat_of(bma_group_find(path)).name, path + 3);
		path[1] = 'b';
		REFUSED(bma_group_find(path), ENOENT);
		if (i % 100 == 0)
			i += 50;
	}
}

/* More parents than there are ways to look a name up. */
Test(group, a_name_is_its_parents)
{
	enum { PARENTS = 40000, WITH = 20000 };
	static struct bma_group *parent[PARENTS];

	for (int i = 0; i < PARENTS; i++) {
		parent[i] = make(NULL, NULL);
		if (i < WITH)
			make(parent[i], "x");
	}
	for (int i = 0; i < PARENTS; i++) {
		const struct bma__group *x = bma__group_child(in(parent[i]), "x", 1);

		if (i < WITH)
			cr_assert_eq(x->parent, in(parent[i]));
		else
			cr_assert_null(x);
	}
}

Test(group, who_is_active_is_the_parent)
{
	struct bma_group *a = make(NULL, "a"), *b = make(NULL, "b"), *before;

	cr_assert_null(bma_group_active());
	before = bma_group_enter(a);
	cr_assert_null(before);
	cr_assert_eq(bma_group_active(), a);
	make(NULL, "child");
	cr_assert_not_null(bma_group_find("/a/child"));
	cr_assert_eq(bma_group_enter(b), a);
	make(NULL, "child");
	cr_assert_not_null(bma_group_find("/b/child"));
	make(a, "named");
	cr_assert_not_null(bma_group_find("/a/named"));
	bma_group_leave(a);
	cr_assert_eq(bma_group_active(), a);
	cr_assert_eq(bma_group_enter(NULL), a);
	make(NULL, "child");
	cr_assert_not_null(bma_group_find("/child"));
	bma_group_enter(make(b, "gone"));
	take_away(bma_group_active());
	REFUSED(bma_group_create(NULL, NULL), ESTALE);
	bma_group_leave(NULL);
	cr_assert_null(bma_group_active());
}

static void misuse(void)
{
	struct bma_group_attr a = {.attr_size = 1};

	bma_group_create(NULL, &a);
	a.attr_size = sizeof a;
	a.flags = 2;
	bma_group_create(NULL, &a);
	a.flags = 0;
	a.name = "a/b";
	bma_group_create(NULL, &a);
	bma_group_set(bma_group_root(), (enum bma_group_limit)7, 1);
	bma_group_find("x");
	bma_shrinker_register(bma_group_root(), NULL, NULL, NULL);
	bma_group_notify(bma_group_root(), 0, STDERR_FILENO);
}

Test(group, verbose_says_what_was_wrong)
{
	setenv("BMA_CONF", "verbose", 1);
	listen_to(misuse);
	cr_assert_eq(times_said("bma_group_create: attr_size 1, this library knows"), 1, "%s",
		     said);
	cr_assert_eq(times_said("bma_group_create: flags has an unknown bit"), 1);
	cr_assert_eq(times_said("bma_group_create: name has a '/'"), 1);
	cr_assert_eq(times_said("bma_group_set: an unknown limit"), 1);
	cr_assert_eq(times_said("bma_group_find: path does not begin with '/'"), 1);
	cr_assert_eq(times_said("bma_shrinker_register: count or scan is NULL"), 1);
	cr_assert_eq(times_said("bma_group_notify: bytes is 0, or fd is not nonblocking"), 1);
}

static void *no_memory(size_t bytes)
{
	(void)bytes;
	return NULL;
}

Test(group, no_memory_for_the_tree)
{
	struct bma_group *root;

	bma__os.map = no_memory;
	REFUSED(bma_group_root(), ENOMEM);
	REFUSED(bma_group_create(NULL, NULL), ENOMEM);
	REFUSED(bma_group_find("/"), ENOMEM);
	cr_assert_eq(bma_group_visit(NULL, count_visits, NULL), -ENOMEM);
	bma__os = bma__os_real;
	root = bma_group_root();
	cr_assert_not_null(root);
}
