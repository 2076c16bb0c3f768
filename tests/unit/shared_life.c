/* SPDX-License-Identifier: MIT */
/* How long shared groups live, and what outlives whom: the scenarios that they are for. */
#include "shared.h"

#include <sys/wait.h>
#include <unistd.h>

#define SIZE 256
#define MANY 1000

static void fill(struct bma_cache *c, void **objs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		objs[i] = get(c);
}

static void empty(struct bma_cache *c, void **objs, size_t n)
{
	bma_cache_free_bulk(c, objs, n);
}

Test(shared_life, nothing_is_charged)
{
	struct bma_group *s = make_shared("short");

	cr_assert_eq(bma_shared_destroy(s), 0);
	cr_assert(is_gone(s));
	cr_assert_null(bma_group_find("@short"));
	cr_assert_neq(make_shared("short"), s);
}

static enum bma_oom_answer nobody(struct bma_oom *oom, void *ctx)
{
	(void)oom, (void)ctx;
	return BMA_OOM_NO_POLICY;
}

/* Its policy goes with it: as many as would fill some blocks of metadata leave none behind. */
Test(shared_life, its_policy_ends_with_it)
{
	const struct bma_oom_policy policy = {
		.attr_size = sizeof policy, .name = "nobody", .decide = nobody};
	struct bma_stats before, after;

	for (int i = 0; i < 10000; i++) {
		struct bma_group *s = make_shared("decides");

		cr_assert_eq(bma_oom_policy_attach(s, &policy), 0);
		cr_assert_eq(bma_shared_destroy(s), 0);
		cr_assert(is_gone(s));
		if (!i)
			cr_assert_eq(bma_stats_get(&before, sizeof before), 0);
	}
	cr_assert_eq(bma_stats_get(&after, sizeof after), 0);
	cr_assert_eq(after.meta_bytes, before.meta_bytes);
}

Test(shared_life, a_cache_pays_through_it)
{
	struct bma_group *s = make_shared("used");
	struct bma_cache *c = cache_of(s, SIZE);
	struct bma_cache_attr late = {
		.attr_size = sizeof late, .size = SIZE, .flags = BMA_CACHE_MERGE, .group = s};
	struct bma_shared_attr again = {.attr_size = sizeof again, .name = "used"};
	void *obj = get(c), *more;

	cr_assert_eq(bma_shared_destroy(s), 0);
	cr_assert_eq(bma_group_find("@used"), s);
	cr_assert_eq(stat_of(s).offline, 1);
	cr_assert_null(bma_cache_create(&late));
	cr_assert_eq(errno, ESTALE);
	cr_assert_null(bma_shared_create(&again));
	cr_assert_eq(errno, EEXIST);
	cr_assert_eq(bma_group_set(s, BMA_GROUP_MAX, 1), -ESTALE);
	/* What pays already goes on. */
	more = get(c);
	cr_assert_eq(in_use(s), 2 * SIZE);
	bma_cache_free(c, more);
	bma_cache_free(c, obj);
	cr_assert(!is_gone(s));
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert(is_gone(s));
}

Test(shared_life, an_object_outlives_its_handle)
{
	struct bma_group *s = make_shared(NULL);
	struct bma_cache *c = cache_of(s, SIZE), *other = cache_of(make_shared(NULL), SIZE);
	void *obj = get(c);

	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_eq(bma_shared_destroy(s), 0);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(in_use(s), SIZE);
	bma_cache_free(other, obj);
	cr_assert_eq(bma_trim(), 0);
	cr_assert(is_gone(s));
}

Test(shared_life, what_was_charged_is_recharged)
{
	struct bma_group *s = make_shared(NULL), *t = make_shared(NULL);
	struct bma_cache *c = cache_of(s, SIZE);
	void *obj = get(c);

	cr_assert_eq(bma_cache_recharge(c, t), 0);
	cr_assert_eq(bma_cache_group(c), t);
	cr_assert_eq(stat_of(s).current, 0);
	cr_assert_eq(bma_cache_recharge(c, s), 0);
	cr_assert_eq(bma_shared_destroy(s), 0);
	cr_assert(!is_gone(s));
	cr_assert_eq(bma_cache_recharge(c, s), -ESTALE);
	cr_assert_eq(bma_cache_recharge(c, t), 0);
	cr_assert(is_gone(s));
	cr_assert_eq(bma_cache_recharge(c, s), -ESTALE);
	cr_assert_eq(in_use(t), SIZE);
	bma_cache_free(c, obj);
}

Test(shared_life, an_attachment_keeps_it)
{
	struct bma_group *s = make_shared("kept"), *g = make(NULL, NULL), *late = make(NULL, NULL);

	attach(s, g, BMA_SHARED_ALL);
	cr_assert_eq(bma_shared_destroy(s), 0);
	cr_assert_eq(bma_group_find("@kept"), s);
	cr_assert_eq(bma_shared_attach(s, late, BMA_SHARED_ALL, 0), -ESTALE);
	cr_assert_eq(bma_shared_destroy(s), -ESTALE);
	cr_assert_eq(pair_of(s, g).attached, 1);
	cr_assert_eq(bma_shared_detach(s, g), 0);
	cr_assert(is_gone(s));
}

Test(shared_life, a_group_that_goes_is_detached)
{
	struct bma_group *s = make_shared(NULL), *g = make(NULL, NULL);
	struct bma_group_attr stays = {.attr_size = sizeof stays, .flags = BMA_GROUP_OFFLINE};
	struct bma_group *offline = bma_group_create(NULL, &stays);
	uint64_t root = current(bma_group_root());

	cr_assert_eq(charge(s, 1000), 0);
	attach(s, g, BMA_SHARED_ALL);
	attach(s, offline, BMA_SHARED_BORROWED);
	cr_assert_eq(bma_shared_borrow(s, offline, 500), 0);
	cr_assert_eq(current(bma_group_root()), root + 1000);
	cr_assert_eq(bma_group_destroy(g), 0);
	cr_assert_eq(current(bma_group_root()), root + 500);
	cr_assert_eq(bma_group_destroy(offline), 0);
	cr_assert_eq(current(bma_group_root()), root);
	uncharge(s, 1000);
	cr_assert_eq(bma_shared_destroy(s), 0);
	cr_assert(is_gone(s));
}

Test(shared_life, its_stocks_are_drained)
{
	struct bma_group *s = make_shared(NULL);
	struct bma_cache *c = cache_of(s, SIZE);
	void *obj = get(c), *other = get(c);

	cr_assert_gt(stat_of(s).stocked, 0);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(stat_of(s).stocked, 0);
	bma_cache_free(c, other);
	cr_assert_gt(stat_of(s).stocked, 0);
	cr_assert_gt(bma_group_reclaim(s, 1), 0);
	bma_cache_free(c, obj);
}

Test(shared_life, objects_of_others)
{
	struct bma_group *s = make_shared(NULL), *g = make(NULL, NULL);
	struct bma_heap_attr ha = {.attr_size = sizeof ha, .group = s, .flags = BMA_HEAP_PRIVATE};
	struct bma_heap *alone = bma_heap_create(&ha), *heap;
	struct bma_cache *c = cache_of(s, SIZE), *d = cache_of(g, SIZE);
	void *mine = get(c), *other = get(d), *slab = bma_heap_alloc_flags(alone, 64, BMA_SLEEP);
	void *small, *large;

	ha.flags = 0;
	heap = bma_heap_create(&ha);
	small = bma_heap_alloc_flags(heap, 64, BMA_SLEEP);
	large = bma_heap_alloc_flags(heap, 1000000, BMA_SLEEP);
	attach(s, g, BMA_SHARED_BORROWED);
	cr_assert_eq(bma_shared_borrow_object(s, g, mine), 0);
	cr_assert_eq(pair_of(s, g).borrowed, SIZE);
	cr_assert_eq(bma_shared_unborrow_object(s, g, mine), 0);
	cr_assert_eq(bma_shared_unborrow_object(s, g, mine), -ERANGE);
	cr_assert_eq(bma_shared_borrow_object(s, g, slab), 0);
	cr_assert_eq(bma_shared_unborrow_object(s, g, slab), 0);
	cr_assert_eq(bma_shared_borrow_object(s, g, large), 0);
	cr_assert_geq(pair_of(s, g).borrowed, 1000000);
	cr_assert_eq(bma_shared_borrow_object(s, g, small), 0);
	cr_assert_eq(bma_shared_unborrow_object(s, g, small), 0);
	cr_assert_eq(bma_shared_unborrow_object(s, g, large), 0);
	cr_assert_eq(bma_shared_borrow_object(s, g, other), -EINVAL);
	cr_assert_eq(bma_shared_borrow_object(s, g, &ha), -EINVAL);
	cr_assert_eq(bma_shared_borrow_object(s, g, NULL), -EINVAL);
	cr_assert_eq(bma_shared_borrow_object(g, g, other), -EINVAL);
	cr_assert_eq(pair_of(s, g).borrowed, 0);
}

/* A container that restarts finds the memory of its first life where it was, paid for by nobody twice, and no remains of a group that is gone. */
Test(shared_life, the_container_that_restarts)
{
	struct bma_group *files = make_shared("files");
	struct bma_cache *pages = cache_of(files, SIZE);
	static void *page[MANY];
	uint64_t root = current(bma_group_root());
	uint64_t groups = stat_of(bma_group_root()).groups;

	for (int life = 0; life < 5; life++) {
		struct bma_group *pod = make_limited(NULL, "pod", 4 * MANY * SIZE);

		attach(files, pod, BMA_SHARED_BORROWED);
		if (!life)
			fill(pages, page, MANY);
		cr_assert_eq(bma_shared_borrow(files, pod, MANY * SIZE), 0);
		cr_assert_eq(current(pod), MANY * SIZE);
		cr_assert_eq(bma_group_destroy(pod), 0);
		cr_assert_eq(current(bma_group_root()), root);
		cr_assert_eq(stat_of(bma_group_root()).groups, groups);
	}
	cr_assert_eq(in_use(files), MANY * SIZE);
	empty(pages, page, MANY);
	cr_assert_eq(bma_cache_destroy(pages), 0);
	cr_assert_eq(bma_shared_destroy(files), 0);
	cr_assert(is_gone(files));
}

/* Two map one file: each is counted for what it uses, whoever was first, and above both it is known between which bounds the truth lies. */
Test(shared_life, two_containers_that_map_one_file)
{
	struct bma_group *file = make_shared("file"), *node = make(NULL, "node");
	struct bma_group *first = make(node, "first"), *second = make(node, "second");
	struct bma_cache *pages = cache_of(file, SIZE);
	struct bma_shared_stats s;
	static void *page[MANY];

	attach(file, first, BMA_SHARED_BORROWED);
	attach(file, second, BMA_SHARED_BORROWED);
	fill(pages, page, MANY);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(bma_shared_borrow_object(file, first, page[i]), 0);
	for (int i = 0; i < MANY / 2; i++)
		cr_assert_eq(bma_shared_borrow_object(file, second, page[i]), 0);
	cr_assert_eq(current(first), MANY * SIZE);
	cr_assert_eq(current(second), MANY / 2 * SIZE);
	s = pair_of(file, node);
	cr_assert_eq(s.lower, MANY * SIZE);
	cr_assert_geq(s.upper, MANY * SIZE);
	cr_assert_leq(s.upper, s.charge);
	cr_assert_eq(current(node), s.upper);
	/* The one that read it first goes. The other one pays for no more than before. */
	cr_assert_eq(bma_group_destroy(first), 0);
	cr_assert_eq(current(second), MANY / 2 * SIZE);
	cr_assert_eq(current(node), MANY / 2 * SIZE);
	empty(pages, page, MANY);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(current(second), 0);
	cr_assert_eq(current(node), 0);
}

/* An agent puts maps into use that stay when it ends; its group is gone with it, and a new agent takes them over. */
Test(shared_life, the_agent_whose_maps_outlive_it)
{
	struct bma_group *maps = make_shared("maps"), *agent = make(NULL, "agent");
	struct bma_group *before = bma_group_enter(maps);
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = SIZE, .flags = BMA_CACHE_MERGE};
	struct bma_cache *entries = bma_cache_create(&a);
	static void *entry[MANY];

	bma_group_leave(before);
	cr_assert_eq(bma_cache_group(entries), maps);
	attach(maps, agent, BMA_SHARED_ALL);
	fill(entries, entry, MANY);
	cr_assert_geq(current(agent), MANY * SIZE);
	cr_assert_eq(bma_group_destroy(agent), 0);
	cr_assert_null(bma_group_find("/agent"));
	cr_assert_eq(in_use(maps), MANY * SIZE);
	agent = make(NULL, "agent");
	attach(maps, agent, BMA_SHARED_ALL);
	cr_assert_eq(current(agent), stat_of(maps).current);
	empty(entries, entry, MANY);
	cr_assert_eq(bma_cache_destroy(entries), 0);
	cr_assert_eq(bma_shared_destroy(maps), 0);
	cr_assert_eq(bma_group_destroy(agent), 0);
	cr_assert(is_gone(maps));
}

static int in_child(struct bma_group *s, struct bma_group *g, struct bma_cache *c, void *obj,
		    struct bma_pin_owner *o)
{
	struct bma_shared_stats st;

	if (bma_shared_stat(s, g, &st, sizeof st) || st.borrowed != SIZE || st.pinned != SIZE)
		return 1;
	if (bma_shared_borrow(s, g, 1) || bma_shared_unborrow(s, g, SIZE + 1))
		return 2;
	bma_cache_free(c, obj);
	if (in_use(s) != SIZE || bma_shared_unpin(o, obj) || in_use(s))
		return 3;
	if (bma_pin_owner_close(o) || bma_group_destroy(g) || bma_cache_destroy(c))
		return 4;
	if (bma_shared_destroy(s) || !is_gone(s))
		return 5;
	return 0;
}

Test(shared_life, a_child_of_fork_has_them)
{
	struct bma_group *s = make_shared(NULL), *g = make(NULL, NULL);
	struct bma_cache *c = cache_of(s, SIZE);
	struct bma_pin_owner *o;
	void *obj = get(c);
	int status = 0;
	pid_t pid;

	attach(s, g, BMA_SHARED_BORROWED);
	o = bma_pin_owner_open(g);
	cr_assert_eq(bma_shared_borrow_object(s, g, obj), 0);
	cr_assert_eq(bma_shared_pin(o, obj), 0);
	pid = fork();
	if (!pid)
		_exit(in_child(s, g, c, obj, o));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 0, "step %d", WEXITSTATUS(status));
	cr_assert_eq(pair_of(s, g).borrowed, SIZE);
	cr_assert_eq(bma_pin_owner_close(o), 1);
	bma_cache_free(c, obj);
}
