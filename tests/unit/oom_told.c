/* SPDX-License-Identifier: MIT */
/* What is told of events, and how they end. */
#include "cache/cache.h"
#include "clock.h"
#include "oom_house.h"
#include "said.h"

static enum bma_oom_answer dawdles(struct bma_oom *oom, void *ctx)
{
	(void)oom, (void)ctx;
	bma__os_sleep(7000000);
	return BMA_OOM_NO_POLICY;
}

static void one_event(void)
{
	cr_assert_not_null(take(c));
}

Test(oom_told, events_and_overruns_are_told)
{
	crowd();
	cr_assert_eq(attach(top, "dawdler", dawdles, NULL), 0);
	a->stubborn = true;
	cr_assert_eq(bma_oom_prefer(top, (struct bma_group *[]){a->group}, 1, -1), 0);
	listen_to(one_event);
	cr_assert_eq(oom_of(top).overruns, 1);
	cr_assert_eq(times_said("oom: policy \"dawdler\" took "), 1, "%s", said);
	cr_assert_eq(times_said("its budget is 5000 us\n"), 1);
	cr_assert_eq(times_said("oom: /top wants 1024 bytes: asked dawdler; chose /top/a "
				"(preferred) /top/b (built-in); freed 30720\n"),
		     1, "%s", said);
}

/* All in one second, but for the last. */
static void many_events(void)
{
	clock_stop();
	for (int i = 0; i < 25; i++)
		cr_assert_null(take(c));
	clock_pass(1000000000);
	cr_assert_null(take(c));
}

Test(oom_told, ten_lines_a_second)
{
	crowd();
	cr_assert_eq(attach(top, "never", aborts, NULL), 0);
	listen_to(many_events);
	cr_assert_eq(times_said("oom: /top wants 1024 bytes: asked never; aborted; freed 0"), 11,
		     "%s", said);
	cr_assert_eq(times_said(" (15 lines left out)\n"), 1, "%s", said);
}

Test(oom_told, names_stay_in_their_line)
{
	struct bma_group *g = make_limited(NULL, "two\nlines", KIB);

	c = calloc(1, sizeof *c);
	c->cache = cache_of(g, KIB);
	fill(c, 1);
	cr_assert_null(take(c));
	listen_to(many_events);
	cr_assert_gt(times_said("oom: /two?lines wants"), 0, "%s", said);
}

Test(oom_told, a_recharge_makes_no_victims)
{
	struct tenant *t;

	crowd();
	t = tenant(NULL, "t", 0);
	fill(t, 10);
	cr_assert_eq(bma_cache_recharge(t->cache, top), -EDQUOT);
	released(0, 0, 0);
}

static enum bma_oom_answer once(struct bma_oom *oom, void *ctx)
{
	return ++*(int *)ctx % 2 ? choose(oom, b->group) : BMA_OOM_ABORT;
}

/* Although some was freed. */
Test(oom_told, an_abort_is_the_end)
{
	struct bma_cache *large;
	int calls = 0;

	crowd();
	b->at_a_time = 10;
	large = cache_of(a->group, 24 * KIB);
	cr_assert_eq(attach(top, "once", once, &calls), 0);
	cr_assert_null(bma_cache_alloc_flags(large, BMA_SLEEP));
	released(0, 1, 0);
	cr_assert_eq(calls, 2);
	cr_assert_eq(oom_of(top).events, 1);
}

static struct bma_heap *large_heap;
static void *large;

static uint64_t release_large(uint64_t bytes, void *ctx)
{
	(void)ctx;
	bma_heap_free(large_heap, large);
	/* Nobody else ends a grace period. */
	if (!bma__env.worker)
		bma_poll(BMA_POLL_GP);
	return bytes;
}

/* What victims have in slabs comes home, too, after a grace period. */
Test(oom_told, large_objects_count)
{
	struct bma_heap_attr ha = {.attr_size = sizeof ha};
	void *obj;

	house();
	cr_assert_eq(bma_group_set(top, BMA_GROUP_MAX, 4096 * KIB), 0);
	ha.group = a->group;
	large_heap = bma_heap_create(&ha);
	large = bma_heap_alloc_flags(large_heap, 3000 * KIB, BMA_SLEEP);
	cr_assert_not_null(large);
	cr_assert_eq(bma_oom_set_release(a->group, NULL, NULL, 0), 0);
	cr_assert_null(bma_heap_alloc_flags(large_heap, 3000 * KIB, BMA_SLEEP));
	cr_assert_eq(errno, EDQUOT);
	cr_assert_eq(bma_oom_set_release(a->group, release_large, NULL, 0), 0);
	obj = bma_heap_alloc_flags(large_heap, 3000 * KIB, BMA_SLEEP);
	cr_assert_not_null(obj);
	cr_assert_eq(oom_of(a->group).chosen, 1);
	cr_assert_geq(oom_of(a->group).freed, 3000 * KIB);
	bma_heap_free(large_heap, obj);
}
