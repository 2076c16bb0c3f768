/* SPDX-License-Identifier: MIT */
/* Out of memory: who is asked, in which order, and what counts. */
#include "cache/cache.h"
#include "oom_house.h"
#include "said.h"

Test(oom, the_built_in_takes_the_largest)
{
	struct bma_group_stats s;
	uint64_t before;

	crowd();
	before = stat_of(top).events_local[BMA_GROUP_EVENT_OOM_RECLAIM];
	cr_assert_not_null(take(c));
	released(0, 1, 0);
	cr_assert_eq(b->asked, KIB);
	cr_assert_eq(oom_of(top).events, 1);
	cr_assert_eq(oom_of(top).asked, 0);
	cr_assert_eq(oom_of(b->group).chosen, 1);
	cr_assert_eq(oom_of(b->group).freed, 30 * KIB);
	cr_assert_eq(oom_of(b->group).useless, 0);
	cr_assert_gt(oom_of(top).stall_ns, 0);
	cr_assert_gt(oom_of(bma_group_root()).stall_ns, 0);
	cr_assert_eq(oom_of(c->group).stall_ns, 0, "its own limit was not it");
	s = stat_of(top);
	cr_assert_eq(s.events_local[BMA_GROUP_EVENT_OOM], 0);
	cr_assert_eq(s.events_local[BMA_GROUP_EVENT_OOM_RECLAIM], before + 1);
}

Test(oom, who_may_not_sleep_has_no_event)
{
	crowd();
	cr_assert_null(bma_cache_alloc(c->cache));
	released(0, 0, 0);
	cr_assert_eq(oom_of(top).events, 0);
}

Test(oom, without_candidates_it_fails)
{
	struct bma_group *g = make_limited(NULL, "g", 16 * KIB);
	struct bma_cache *cache = cache_of(g, KIB);
	int n = 0;

	while (bma_cache_alloc_flags(cache, BMA_SLEEP))
		n++;
	cr_assert_eq(errno, EDQUOT);
	cr_assert_eq(n, 16);
	cr_assert_eq(stat_of(g).events_local[BMA_GROUP_EVENT_OOM], 1);
	cr_assert_eq(stat_of(g).events_local[BMA_GROUP_EVENT_OOM_RECLAIM], 0);
	cr_assert_eq(oom_of(g).events, 1);
}

Test(oom, scores_weigh)
{
	crowd();
	/* 30 KiB at half, 20 KiB as they are. */
	bma_oom_set_release(b->group, tenant_release, b, -500);
	cr_assert_not_null(take(c));
	released(1, 0, 0);
}

Test(oom, the_least_score_only_if_there_is_no_other)
{
	crowd();
	bma_oom_set_release(b->group, tenant_release, b, BMA_OOM_SCORE_MIN);
	bma_oom_set_release(c->group, tenant_release, c, BMA_OOM_SCORE_MIN);
	a->stubborn = true;
	cr_assert_not_null(take(c));
	released(1, 1, 0);
	cr_assert_eq(oom_of(a->group).useless, 1);
}

Test(oom, protection_spares)
{
	crowd();
	cr_assert_eq(bma_group_set(b->group, BMA_GROUP_LOW, 25 * KIB), 0);
	cr_assert_not_null(take(c));
	released(1, 0, 0);
}

Test(oom, who_has_nothing_is_not_chosen)
{
	house();
	fill(c, 64);
	c->stubborn = true;
	cr_assert_null(take(c));
	released(0, 0, 1);
}

Test(oom, candidates_are_below_the_limit_only)
{
	struct bma_group *inner;
	struct tenant *in;

	house();
	fill(a, 20);
	inner = make_limited(top, "inner", 16 * KIB);
	in = tenant(inner, "in", 0);
	fill(in, 16);
	cr_assert_not_null(take(in));
	cr_assert_eq(in->released, 1);
	released(0, 0, 0);
	cr_assert_eq(oom_of(inner).events, 1);
	cr_assert_eq(oom_of(top).events, 0);
}

Test(oom, up_to_three_victims)
{
	struct tenant *d;

	house();
	d = tenant(top, "d", 0);
	fill(a, 20);
	fill(b, 18);
	fill(c, 16);
	fill(d, 10);
	a->stubborn = b->stubborn = c->stubborn = true;
	cr_assert_null(take(d));
	cr_assert_eq(errno, EDQUOT);
	released(1, 1, 1);
	cr_assert_eq(d->released, 0, "three are enough");
	cr_assert_eq(stat_of(top).events_local[BMA_GROUP_EVENT_OOM], 1);
	c->stubborn = false;
	cr_assert_not_null(take(d));
	released(2, 2, 2);
}

Test(oom, one_victim_after_the_other_until_there_is_room)
{
	struct bma_cache *large;
	void *obj;

	crowd();
	large = cache_of(a->group, 24 * KIB);
	b->at_a_time = 10;
	obj = bma_cache_alloc_flags(large, BMA_SLEEP);
	cr_assert_not_null(obj);
	/* b gave 10 and had 20 left, a had 20, and was made first: then b again or a. */
	cr_assert_eq(oom_of(top).events, 1);
	cr_assert_geq(a->released + b->released + c->released, 2);
	cr_assert_leq(a->released + b->released + c->released, 3);
}

Test(oom, policies_are_asked_from_the_group_up)
{
	struct bma_group *mid;
	struct tenant *in;
	int low = 0, high = 0;

	top = make_limited(NULL, "top", 0);
	mid = make_limited(top, "mid", 32 * KIB);
	in = tenant(mid, "in", 0);
	a = tenant(mid, "a", 0);
	cr_assert_eq(attach(in->group, "inner", silent, &low), 0);
	cr_assert_eq(attach(mid, "mid", silent, &high), 0);
	cr_assert_eq(attach(top, "top", choose, a->group), 0);
	cr_assert_eq(attach(bma_group_root(), "root", aborts, NULL), 0);
	fill(a, 5);
	fill(in, 27);
	cr_assert_not_null(take(in));
	cr_assert_eq(low, 0, "it is not what ran out");
	cr_assert_eq(high, 1);
	cr_assert_eq(a->released, 1);
	cr_assert_eq(in->released, 0);
	cr_assert_eq(oom_of(mid).asked, 2);
	cr_assert_str_eq(oom_of(top).policy, "top");
	cr_assert_eq(bma_oom_policy_detach(top), 0);
	cr_assert_str_eq(oom_of(top).policy, "");
	cr_assert_eq(bma_oom_policy_detach(top), -ENOENT);
	fill(in, 4);
	cr_assert_null(take(in));
	cr_assert_eq(in->released, 0, "the root's aborts");
	cr_assert_eq(high, 2);
	cr_assert_eq(oom_of(mid).asked, 4);
	cr_assert_eq(stat_of(mid).events_local[BMA_GROUP_EVENT_OOM], 1);
}

static enum bma_oom_answer nonsense(struct bma_oom *oom, void *ctx)
{
	struct bma_group *gone = ctx;

	cr_assert_eq(bma_oom_select(oom, gone), -ENOENT);
	cr_assert_eq(bma_oom_select(oom, NULL), -ENOENT);
	cr_assert_eq(bma_oom_select(oom, top), -ENOENT);
	cr_assert_eq(bma_oom_ignore(oom, gone), -ENOENT);
	return BMA_OOM_SELECTED;
}

static enum bma_oom_answer unknown(struct bma_oom *oom, void *ctx)
{
	bma_oom_select(oom, ctx);
	return (enum bma_oom_answer)77;
}

Test(oom, bad_answers_are_none)
{
	struct bma_group *gone = make(NULL, "gone");

	crowd();
	cr_assert_eq(bma_group_destroy(gone), 0);
	cr_assert_eq(attach(top, "nonsense", nonsense, gone), 0);
	cr_assert_not_null(take(c));
	released(0, 1, 0);
	cr_assert_eq(bma_oom_policy_detach(top), 0);
	cr_assert_eq(attach(top, "unknown", unknown, c->group), 0);
	fill(c, 29);
	cr_assert_not_null(take(c));
	released(0, 1, 1);
}

static enum bma_oom_answer ignores(struct bma_oom *oom, void *ctx)
{
	struct bma_oom_candidate o;

	while (bma_oom_next(oom, &o)) {
		cr_assert_eq(bma_oom_ignore(oom, o.group), 0);
		cr_assert_eq(bma_oom_ignore(oom, o.group), -ENOENT);
		cr_assert_eq(bma_oom_select(oom, o.group), -ENOENT);
	}
	cr_assert_not(bma_oom_next(oom, &o));
	return ctx ? BMA_OOM_SELECTED : BMA_OOM_NO_POLICY;
}

Test(oom, who_ignores_everybody_gets_nothing)
{
	crowd();
	cr_assert_eq(attach(top, "ignores", ignores, NULL), 0);
	cr_assert_eq(attach(bma_group_root(), "root", bma_oom_largest, NULL), 0);
	cr_assert_null(take(c));
	released(0, 0, 0);
	cr_assert_eq(bma_oom_policy_detach(top), 0);
	cr_assert_eq(attach(top, "ignores", ignores, top), 0);
	cr_assert_null(take(c));
	released(0, 0, 0);
}

static enum bma_oom_answer changes_its_mind(struct bma_oom *oom, void *ctx)
{
	(void)ctx;
	bma_oom_select(oom, b->group);
	bma_oom_select(oom, a->group);
	bma_oom_ignore(oom, b->group);
	return BMA_OOM_SELECTED;
}

static enum bma_oom_answer ignores_its_choice(struct bma_oom *oom, void *ctx)
{
	(void)ctx;
	bma_oom_select(oom, b->group);
	bma_oom_ignore(oom, b->group);
	return BMA_OOM_SELECTED;
}

Test(oom, the_last_choice_counts)
{
	crowd();
	cr_assert_eq(attach(top, "mind", changes_its_mind, NULL), 0);
	cr_assert_not_null(take(c));
	released(1, 0, 0);
	cr_assert_eq(bma_oom_policy_detach(top), 0);
	cr_assert_eq(attach(top, "mind", ignores_its_choice, NULL), 0);
	fill(a, 19);
	cr_assert_not_null(take(c));
	released(2, 0, 0);
}

struct seen {
	struct bma_oom_candidate o[16];
	int n, again;
	struct bma_group *group;
	uint64_t bytes;
};

static enum bma_oom_answer looks(struct bma_oom *oom, void *ctx)
{
	struct bma_oom_candidate o;
	struct seen *s = ctx;

	s->n = s->again = 0;
	s->group = bma_oom_group(oom);
	s->bytes = bma_oom_bytes(oom);
	while (bma_oom_next(oom, &s->o[s->n]))
		s->n++;
	while (bma_oom_next(oom, &o))
		s->again++;
	return BMA_OOM_NO_POLICY;
}

Test(oom, what_a_policy_sees)
{
	uint64_t before = bma__os_now(), then;
	struct seen s;

	crowd();
	bma_oom_set_release(a->group, tenant_release, a, 77);
	bma_oom_set_release(c->group, NULL, NULL, 0);
	cr_assert_eq(bma_group_set(b->group, BMA_GROUP_LOW, 4 * KIB), 0);
	cr_assert_eq(attach(top, "looks", looks, &s), 0);
	b->at_a_time = 1;
	fill(c, 1);
	cr_assert_eq(s.group, top);
	cr_assert_eq(s.bytes, KIB);
	cr_assert_eq(s.n, 2);
	cr_assert_eq(s.again, 2);
	for (int i = 0; i < 2; i++) {
		struct tenant *t = s.o[i].group == a->group ? a : b;

		cr_assert_eq(s.o[i].group, t->group);
		cr_assert_eq(s.o[i].usage, (t == a ? 20 : 30) * KIB);
		cr_assert_eq(s.o[i].protection, t == a ? 0 : 4 * KIB);
		cr_assert_eq(s.o[i].score, t == a ? 77 : 0);
		cr_assert_eq(s.o[i].last_victim_ns, 0);
		cr_assert(s.o[i].created_ns >= before && s.o[i].created_ns <= bma__os_now());
	}
	released(0, 1, 0);
	then = bma__os_now();
	cr_assert_not_null(take(c));
	cr_assert(s.o[0].group == b->group ? s.o[0].last_victim_ns : s.o[1].last_victim_ns);
	cr_assert_leq(s.o[0].last_victim_ns + s.o[1].last_victim_ns, then);
}

static enum bma_oom_answer stubborn_first(struct bma_oom *oom, void *ctx)
{
	int *calls = ctx;
	struct bma_oom_candidate o;

	if (++*calls == 1)
		return choose(oom, a->group);
	cr_assert_eq(bma_oom_select(oom, a->group), -ENOENT, "it failed");
	while (bma_oom_next(oom, &o))
		cr_assert_neq(o.group, a->group);
	return choose(oom, c->group);
}

Test(oom, who_freed_nothing_is_not_offered_again)
{
	int calls = 0;

	crowd();
	a->stubborn = true;
	cr_assert_eq(attach(top, "stubborn", stubborn_first, &calls), 0);
	cr_assert_not_null(take(b));
	released(1, 0, 1);
	cr_assert_eq(calls, 2);
	cr_assert_eq(oom_of(a->group).chosen, 1);
	cr_assert_eq(oom_of(a->group).useless, 1);
	cr_assert_eq(oom_of(a->group).freed, 0);
	/* In another event it is. */
	fill(b, 13);
	calls = 0;
	cr_assert_not_null(take(b) ? &calls : NULL);
	cr_assert_eq(a->released, 2);
}

Test(oom, ready_policies)
{
	crowd();
	bma_oom_set_release(c->group, tenant_release, c, 5);
	cr_assert_eq(attach(top, "score", bma_oom_by_score, NULL), 0);
	cr_assert_not_null(take(a));
	released(0, 0, 1);
	cr_assert_eq(bma_oom_policy_detach(top), 0);
	cr_assert_eq(attach(top, "oldest", bma_oom_oldest, NULL), 0);
	fill(c, 13);
	cr_assert_not_null(take(c));
	released(1, 0, 1);
	cr_assert_eq(bma_oom_policy_detach(top), 0);
	cr_assert_eq(attach(top, "largest", bma_oom_largest, NULL), 0);
	fill(c, 20);
	cr_assert_not_null(take(c));
	released(1, 0, 2);
}

Test(oom, preferred_victims_come_first)
{
	int fd = event_fd();

	crowd();
	cr_assert_eq(attach(top, "largest", bma_oom_largest, NULL), 0);
	cr_assert_eq(
		bma_oom_prefer(top, (struct bma_group *[]){c->group, a->group, b->group}, 3, fd),
		0);
	cr_assert_not_null(take(b));
	released(0, 0, 1);
	cr_assert_eq(oom_of(top).asked, 0);
	cr_assert_eq(told(fd), 0);
	fill(b, 13);
	cr_assert_not_null(take(b));
	released(1, 0, 1);
	cr_assert_eq(told(fd), 0);
	/* The last one leaves by going. */
	bma_cache_free_bulk(b->cache, b->objs, b->n);
	cr_assert_eq(bma_cache_destroy(b->cache), 0);
	cr_assert_eq(bma_group_destroy(b->group), 0);
	cr_assert_eq(told(fd), 1);
	fill(a, 30);
	fill(c, 34);
	cr_assert_not_null(take(a));
	released(1, 0, 2);
	cr_assert_eq(told(fd), 0);
}

Test(oom, preferred_by_a_group_above)
{
	struct bma_group *inner;
	struct tenant *in, *other;
	int fd = event_fd();

	crowd();
	bma_cache_free_bulk(b->cache, b->objs, b->n);
	b->n = 0;
	inner = make_limited(top, "inner", 16 * KIB);
	in = tenant(inner, "in", 0);
	other = tenant(inner, "other", 0);
	fill(in, 10);
	fill(other, 6);
	cr_assert_eq(bma_oom_prefer(top, (struct bma_group *[]){a->group, other->group}, 2, fd), 0);
	cr_assert_not_null(take(in));
	cr_assert_eq(other->released, 1);
	released(0, 0, 0);
	cr_assert_eq(told(fd), 0, "a is no candidate here, and stays");
	fill(in, 5);
	cr_assert_not_null(take(in));
	cr_assert_eq(in->released, 1);
	fill(c, 30 - 1);
	cr_assert_not_null(take(c) ? fd ? c : NULL : NULL);
	cr_assert_eq(a->released, 1);
	cr_assert_eq(told(fd), 1, "tried, and it was the last");
}

Test(oom, what_prefer_refuses)
{
	int fd = event_fd(), blocking = eventfd(0, 0);
	struct bma_group *many[65], *gone;

	house();
	for (int i = 0; i < 65; i++)
		many[i] = make(top, NULL);
	gone = make(top, "gone");
	cr_assert_eq(bma_group_destroy(gone), 0);
	cr_assert_eq(bma_oom_prefer(top, many, 64, fd), 0);
	cr_assert_eq(bma_oom_prefer(top, many, 65, fd), -EINVAL);
	cr_assert_eq(bma_oom_prefer(top, NULL, 1, fd), -EINVAL);
	cr_assert_eq(bma_oom_prefer(top, many, 2, blocking), -EINVAL);
	cr_assert_eq(bma_oom_prefer(top, many, 2, 9999), -EBADF);
	cr_assert_eq(bma_oom_prefer(top, many, 2, -2), -EINVAL);
	cr_assert_eq(bma_oom_prefer(a->group, many, 2, fd), -EINVAL, "they are not below it");
	cr_assert_eq(bma_oom_prefer(top, (struct bma_group *[]){many[0], many[0]}, 2, fd), -EINVAL);
	cr_assert_eq(bma_oom_prefer(top, (struct bma_group *[]){many[0], gone}, 2, fd), -ESTALE);
	cr_assert_eq(bma_oom_prefer(gone, many, 1, fd), -ESTALE);
	cr_assert_eq(bma_oom_prefer(top, NULL, 0, -1), 0);
	cr_assert_eq(told(fd), 0, "its owner ended it");
	for (int i = 0; i < 64; i++)
		cr_assert_eq(bma_group_destroy(many[i]), 0);
	cr_assert_eq(told(fd), 0);
}

Test(oom, what_the_calls_refuse)
{
	struct bma_oom_policy p = {.attr_size = sizeof p, .name = "p", .decide = silent};
	struct bma_group *gone = make(NULL, "gone"), *g = make(NULL, "g");
	struct bma_oom_stats s = {.events = 5, .asked = 6};

	cr_assert_eq(bma_group_destroy(gone), 0);
	cr_assert_eq(bma_oom_policy_attach(gone, &p), -ESTALE);
	cr_assert_eq(bma_oom_policy_attach(NULL, &p), -ESTALE);
	cr_assert_eq(bma_oom_policy_attach(g, NULL), -EINVAL);
	p.attr_size--;
	cr_assert_eq(bma_oom_policy_attach(g, &p), -E2BIG);
	p.attr_size++;
	p.decide = NULL;
	cr_assert_eq(bma_oom_policy_attach(g, &p), -EINVAL);
	p.decide = silent;
	p.name = "";
	cr_assert_eq(bma_oom_policy_attach(g, &p), -EINVAL);
	p.name = NULL;
	cr_assert_eq(bma_oom_policy_attach(g, &p), -EINVAL);
	p.name = "01234567890123456789012345678901";
	cr_assert_eq(bma_oom_policy_attach(g, &p), -EINVAL);
	p.name++;
	cr_assert_eq(bma_oom_policy_attach(g, &p), 0);
	cr_assert_eq(bma_oom_policy_attach(g, &p), -EBUSY);
	cr_assert_str_eq(oom_of(g).policy, p.name);
	cr_assert_eq(bma_oom_policy_detach(gone), -ESTALE);
	cr_assert_eq(bma_oom_set_release(gone, tenant_release, NULL, 0), -ESTALE);
	cr_assert_eq(bma_oom_set_release(g, tenant_release, NULL, 1001), -EINVAL);
	cr_assert_eq(bma_oom_set_release(g, tenant_release, NULL, -1001), -EINVAL);
	cr_assert_eq(bma_oom_set_release(g, NULL, NULL, 0), 0);
	cr_assert_eq(bma_oom_stat(gone, &s, sizeof s), -ESTALE);
	cr_assert_eq(bma_oom_stat(g, NULL, sizeof s), -EINVAL);
	cr_assert_eq(bma_oom_stat(g, &s, 0), -EINVAL);
	cr_assert_eq(bma_oom_stat(g, &s, sizeof s.events), 0);
	cr_assert(s.events == 0 && s.asked == 6, "no more than was asked for");
	cr_assert_eq(bma_group_destroy(g), 0);
	cr_assert_eq(bma_oom_policy_detach(g), -ESTALE);
}
