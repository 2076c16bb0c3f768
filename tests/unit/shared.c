/* SPDX-License-Identifier: MIT */
/* Shared groups: their names and handles, attaching, borrowing, what is shown, and each bad input. */
#include "shared.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NONE BMA_GROUP_NO_LIMIT
#define KIB ((uint64_t)1024)

/* A shared group that is charged for @bytes, and one that may use it. */
static struct bma_group *charged(uint64_t bytes)
{
	struct bma_group *s = make_shared(NULL);

	cr_assert_eq(charge(s, bytes), 0);
	return s;
}

Test(shared, names_are_their_own)
{
	struct bma_shared_attr bad = {.attr_size = sizeof bad, .name = "a/b"};
	struct bma_group *s = make_shared("maps"), *g = make(bma_group_root(), "maps");
	struct bma_group *unnamed = make_shared(NULL);
	char path[64];

	cr_assert_neq(s, g);
	cr_assert_eq(bma_group_find("@maps"), s);
	cr_assert_eq(bma_group_find("/maps"), g);
	cr_assert_eq(bma_group_path(s, path, sizeof path), 5);
	cr_assert_str_eq(path, "@maps");
	cr_assert_eq(bma_group_path(s, path, 3), 5);
	cr_assert_str_eq(path, "@m");
	cr_assert_gt(bma_group_path(unnamed, path, sizeof path), 0);
	cr_assert_eq(strncmp(path, "@shared-", 8), 0);
	cr_assert_null(bma_group_find("@nobody"));
	cr_assert_eq(errno, ENOENT);
	cr_assert_null(bma_group_find("@"));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(bma_group_find("@maps/flows"));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(bma_shared_create(&bad));
	cr_assert_eq(errno, EINVAL);
	bad.name = "";
	cr_assert_null(bma_shared_create(&bad));
	cr_assert_eq(errno, EINVAL);
	bad.name = "maps";
	cr_assert_null(bma_shared_create(&bad));
	cr_assert_eq(errno, EEXIST);
	bad.attr_size--;
	cr_assert_null(bma_shared_create(&bad));
	cr_assert_eq(errno, E2BIG);
}

Test(shared, it_is_in_no_tree)
{
	struct bma_group *s = make_shared("alone"), *g;
	struct bma_group_stats root = stat_of(bma_group_root());

	cr_assert_null(bma_group_create(s, NULL));
	cr_assert_eq(errno, EINVAL);
	g = bma_group_enter(s);
	cr_assert_null(bma_group_create(NULL, NULL));
	cr_assert_eq(errno, EINVAL);
	bma_group_leave(g);
	cr_assert_eq(bma_group_destroy(s), -EINVAL);
	cr_assert_eq(charge(s, KIB), 0);
	cr_assert_eq(current(bma_group_root()), root.current);
	cr_assert_eq(stat_of(bma_group_root()).groups, root.groups);
	cr_assert_eq(stat_of(s).current, KIB);
	cr_assert_eq(stat_of(s).depth, 0);
	uncharge(s, KIB);
}

Test(shared, its_limits_hold)
{
	struct bma_group *s = make_shared_limited(NULL, 10 * KIB);

	cr_assert_eq(charge(s, 10 * KIB), 0);
	cr_assert_eq(charge(s, 1), -EDQUOT);
	cr_assert_eq(stat_of(s).events[BMA_GROUP_EVENT_MAX], 1);
	cr_assert_eq(bma_group_set(s, BMA_GROUP_MAX, 11 * KIB), 0);
	cr_assert_eq(charge(s, KIB), 0);
	cr_assert_eq(bma_group_set(s, BMA_GROUP_MAX, KIB), 0);
	cr_assert_eq(charge(s, 1), -EDQUOT);
	cr_assert_eq(stat_of(s).current, 11 * KIB);
}

Test(shared, what_moves_between_trees)
{
	struct bma_group *s = make_shared(NULL), *t = make_shared(NULL);
	struct bma_group *g = make(make(NULL, "a"), "b");
	uint64_t root = current(bma_group_root());

	cr_assert_eq(charge(g, 5 * KIB), 0);
	cr_assert_eq(current(bma_group_root()), root + 5 * KIB);
	cr_assert_eq(move(g, s, 2 * KIB), 0);
	cr_assert_eq(current(bma_group_root()), root + 3 * KIB);
	cr_assert_eq(move(s, t, KIB), 0);
	cr_assert_eq(move(t, bma_group_root(), KIB), 0);
	cr_assert_eq(move(s, g, KIB), 0);
	cr_assert_eq(current(s) + current(t), 0);
	cr_assert_eq(current(g), 4 * KIB);
	cr_assert_eq(current(bma_group_root()), root + 5 * KIB);
}

Test(shared, attaching_twice)
{
	struct bma_group *s = charged(KIB), *g = make(NULL, NULL);

	attach(s, g, BMA_SHARED_BORROWED);
	cr_assert_eq(bma_shared_attach(s, g, BMA_SHARED_NOTHING, 0), -EEXIST);
	cr_assert_eq(bma_shared_detach(s, g), 0);
	cr_assert_eq(bma_shared_detach(s, g), -ENOENT);
	attach(s, g, BMA_SHARED_NOTHING);
	/* One above is another attachment. */
	attach(s, bma_group_root(), BMA_SHARED_NOTHING);
	cr_assert_eq(bma_shared_detach(s, bma_group_root()), 0);
	cr_assert_eq(pair_of(s, g).attached, 1);
	cr_assert_eq(pair_of(s, bma_group_root()).attached, 0);
}

Test(shared, what_cannot_be_attached)
{
	struct bma_group *s = make_shared(NULL), *t = make_shared(NULL), *g = make(NULL, NULL);
	struct bma_shared_stats out;

	cr_assert_eq(bma_shared_attach(s, t, BMA_SHARED_ALL, NONE), -EINVAL);
	cr_assert_eq(bma_shared_attach(s, s, BMA_SHARED_ALL, NONE), -EINVAL);
	cr_assert_eq(bma_shared_attach(g, g, BMA_SHARED_ALL, NONE), -EINVAL);
	cr_assert_eq(bma_shared_attach(s, g, (enum bma_shared_policy)3, NONE), -EINVAL);
	cr_assert_eq(bma_shared_attach(s, NULL, BMA_SHARED_ALL, NONE), -ESTALE);
	cr_assert_eq(bma_shared_attach(NULL, g, BMA_SHARED_ALL, NONE), -ESTALE);
	cr_assert_eq(bma_shared_detach(g, g), -EINVAL);
	cr_assert_eq(bma_shared_borrow(g, g, 1), -EINVAL);
	cr_assert_eq(bma_shared_borrow(s, g, 1), -ENOENT);
	cr_assert_eq(bma_shared_unborrow(s, g, 0), -ENOENT);
	cr_assert_eq(bma_shared_stat(s, g, &out, sizeof out), -ENOENT);
	attach(s, g, BMA_SHARED_NOTHING);
	cr_assert_eq(bma_shared_stat(s, g, NULL, sizeof out), -EINVAL);
	cr_assert_eq(bma_shared_stat(s, g, &out, 0), -EINVAL);
	cr_assert_eq(bma_shared_destroy(g), -EINVAL);
	cr_assert_eq(bma_shared_destroy(NULL), 0);
}

Test(shared, handles_that_are_stale)
{
	struct bma_group *s = charged(KIB), *old = make_shared(NULL), *g = make(NULL, NULL);
	struct bma_group *gone = make(NULL, NULL);
	struct bma_shared_stats out;

	attach(s, gone, BMA_SHARED_ALL);
	cr_assert_eq(bma_group_destroy(gone), 0);
	cr_assert_eq(bma_shared_destroy(old), 0);
	cr_assert_eq(bma_shared_destroy(old), -ESTALE);
	cr_assert_eq(bma_shared_attach(old, g, BMA_SHARED_ALL, NONE), -ESTALE);
	cr_assert_eq(bma_shared_attach(s, gone, BMA_SHARED_ALL, NONE), -ESTALE);
	cr_assert_eq(bma_shared_detach(s, gone), -ESTALE);
	cr_assert_eq(bma_shared_borrow(s, gone, 1), -ESTALE);
	cr_assert_eq(bma_shared_unborrow(s, gone, 1), -ESTALE);
	cr_assert_eq(bma_shared_borrow_object(old, g, &out), -ESTALE);
	cr_assert_eq(bma_shared_stat(s, gone, &out, sizeof out), -ESTALE);
	cr_assert_eq(bma_pin_set_max(gone, 1), -ESTALE);
	cr_assert_eq(bma_pin_set_max(s, 1), -EINVAL);
	cr_assert_null(bma_pin_owner_open(gone));
	cr_assert_eq(errno, ESTALE);
	cr_assert_null(bma_pin_owner_open(s));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(bma_group_find("@old"));
}

Test(shared, borrowing)
{
	struct bma_group *s = charged(10 * KIB), *g = make(NULL, NULL);

	cr_assert_eq(bma_shared_attach(s, g, BMA_SHARED_NOTHING, 8 * KIB), 0);
	cr_assert_eq(bma_shared_borrow(s, g, 8 * KIB + 1), -EDQUOT);
	cr_assert_eq(bma_shared_borrow(s, g, 8 * KIB), 0);
	cr_assert_eq(bma_shared_borrow(s, g, 1), -EDQUOT);
	cr_assert_eq(bma_shared_borrow(s, g, 2 * KIB + 1), -ERANGE);
	cr_assert_eq(bma_shared_borrow(s, g, UINT64_MAX), -ERANGE);
	cr_assert_eq(bma_shared_borrow(s, g, 0), 0);
	cr_assert_eq(pair_of(s, g).borrowed, 8 * KIB);
	cr_assert_eq(pair_of(s, g).borrow_max, 8 * KIB);
	cr_assert_eq(bma_shared_unborrow(s, g, 8 * KIB + 1), -ERANGE);
	cr_assert_eq(pair_of(s, g).borrowed, 8 * KIB);
	cr_assert_eq(bma_shared_unborrow(s, g, 8 * KIB), 0);
	cr_assert_eq(bma_shared_unborrow(s, g, 1), -ERANGE);
	cr_assert_eq(pair_of(s, g).borrowed, 0);
	cr_assert_eq(stat_of(s).current, 10 * KIB);
	cr_assert_eq(current(g), 0);
}

Test(shared, a_borrow_is_no_more_than_the_charge)
{
	struct bma_group *s = charged(10 * KIB), *g = make(NULL, NULL);

	attach(s, g, BMA_SHARED_BORROWED);
	cr_assert_eq(bma_shared_borrow(s, g, 9 * KIB), 0);
	uncharge(s, 6 * KIB);
	cr_assert_eq(pair_of(s, g).borrowed, 4 * KIB);
	cr_assert_eq(current(g), 4 * KIB);
	cr_assert_eq(bma_shared_borrow(s, g, 1), -ERANGE);
	/* It is given back as it was taken. */
	cr_assert_eq(bma_shared_unborrow(s, g, 2 * KIB), 0);
	cr_assert_eq(pair_of(s, g).borrowed, 4 * KIB);
	cr_assert_eq(charge(s, 6 * KIB), 0);
	cr_assert_eq(current(g), 7 * KIB);
	cr_assert_eq(bma_shared_unborrow(s, g, 7 * KIB), 0);
	cr_assert_eq(current(g), 0);
}

Test(shared, both_bounds_at_each_level)
{
	struct bma_group *s = charged(10 * KIB), *top = make(NULL, NULL);
	struct bma_group *a = make(top, NULL), *b = make(top, NULL), *c = make(a, NULL);
	struct bma_shared_stats got;
	uint64_t root = current(bma_group_root());

	attach(s, b, BMA_SHARED_BORROWED);
	attach(s, c, BMA_SHARED_BORROWED);
	cr_assert_eq(bma_shared_borrow(s, b, 4 * KIB), 0);
	cr_assert_eq(bma_shared_borrow(s, c, 3 * KIB), 0);
	got = pair_of(s, top);
	cr_assert_eq(got.attached, 0);
	cr_assert_eq(got.borrowed, 0);
	cr_assert_eq(got.lower, 4 * KIB);
	cr_assert_eq(got.upper, 7 * KIB);
	cr_assert_eq(pair_of(s, a).upper, 3 * KIB);
	cr_assert_eq(pair_of(s, a).lower, 3 * KIB);
	cr_assert_eq(current(top), 7 * KIB);
	cr_assert_eq(current(a), 3 * KIB);
	attach(s, a, BMA_SHARED_BORROWED);
	cr_assert_eq(bma_shared_borrow(s, a, 9 * KIB), 0);
	got = pair_of(s, a);
	cr_assert_eq(got.attached, 1);
	cr_assert_eq(got.lower, 9 * KIB);
	cr_assert_eq(got.upper, 10 * KIB);
	cr_assert_eq(current(top), 10 * KIB);
	cr_assert_eq(current(bma_group_root()), root + 10 * KIB);
	cr_assert_eq(bma_shared_detach(s, a), 0);
	cr_assert_eq(current(top), 7 * KIB);
	cr_assert_eq(bma_shared_detach(s, c), 0);
	cr_assert_eq(bma_shared_stat(s, a, &got, sizeof got), -ENOENT);
	cr_assert_eq(current(top), 4 * KIB);
	cr_assert_eq(bma_shared_detach(s, b), 0);
	cr_assert_eq(bma_shared_stat(s, bma_group_root(), &got, sizeof got), -ENOENT);
	cr_assert_eq(current(bma_group_root()), root);
}

Test(shared, policies)
{
	struct bma_group *s = charged(10 * KIB), *top = make(NULL, NULL);
	struct bma_group *none = make(top, NULL), *some = make(top, NULL), *all = make(top, NULL);

	attach(s, none, BMA_SHARED_NOTHING);
	attach(s, some, BMA_SHARED_BORROWED);
	cr_assert_eq(bma_shared_borrow(s, none, KIB), 0);
	cr_assert_eq(bma_shared_borrow(s, some, 2 * KIB), 0);
	cr_assert_eq(current(none), 0);
	cr_assert_eq(current(some), 2 * KIB);
	cr_assert_eq(current(top), 2 * KIB);
	cr_assert_eq(pair_of(s, top).upper, 3 * KIB);
	attach(s, all, BMA_SHARED_ALL);
	cr_assert_eq(current(all), 10 * KIB);
	cr_assert_eq(current(top), 10 * KIB);
	cr_assert_eq(charge(s, 5 * KIB), 0);
	cr_assert_eq(current(all), 15 * KIB);
	cr_assert_eq(current(top), 15 * KIB);
	uncharge(s, 14 * KIB);
	cr_assert_eq(current(all), KIB);
	cr_assert_eq(current(some), KIB);
	cr_assert_eq(bma_shared_detach(s, all), 0);
	cr_assert_eq(current(top), KIB);
}

Test(shared, a_pass_brings_what_is_counted_up_to_date)
{
	struct bma_group *s = charged(4 * KIB), *g = make(NULL, NULL);

	attach(s, g, BMA_SHARED_ALL);
	cr_assert_eq(charge(s, 4 * KIB), 0);
	cr_assert_eq(atomic_load(&in(g)->borrowed), 4 * KIB);
	bma_poll(0);
	cr_assert_eq(atomic_load(&in(g)->borrowed), 8 * KIB);
	/* As it was when somebody looked last, but for a borrow in between. */
	uncharge(s, KIB);
	cr_assert_eq(bma_shared_borrow(s, g, 1), 0);
	cr_assert_eq(charge(s, KIB), 0);
	bma_poll(0);
	cr_assert_eq(atomic_load(&in(g)->borrowed), 8 * KIB);
}

Test(shared, limits_count_what_is_borrowed)
{
	struct bma_group *s = charged(100 * KIB), *top = make_limited(NULL, NULL, 20 * KIB);
	struct bma_group *g = make(top, NULL);

	attach(s, g, BMA_SHARED_BORROWED);
	cr_assert_eq(charge(g, 8 * KIB), 0);
	cr_assert_eq(bma_shared_borrow(s, g, 12 * KIB + 1), -EDQUOT);
	cr_assert_eq(current(g), 8 * KIB);
	cr_assert_eq(current(top), 8 * KIB);
	cr_assert_eq(stat_of(top).events_local[BMA_GROUP_EVENT_MAX] > 0, 1);
	cr_assert_eq(bma_shared_borrow(s, g, 12 * KIB), 0);
	cr_assert_eq(charge(g, 1), -EDQUOT);
	cr_assert_eq(current(top), 20 * KIB);
	cr_assert_eq(bma__group_room(in(g)), 0);
	cr_assert_eq(bma_shared_unborrow(s, g, KIB), 0);
	cr_assert_eq(charge(g, KIB), 0);
	cr_assert_eq(charge(g, 1), -EDQUOT);
	cr_assert_eq(bma_shared_detach(s, g), 0);
	cr_assert_eq(bma_shared_attach(s, g, BMA_SHARED_ALL, NONE), -EDQUOT);
	cr_assert_eq(current(top), 9 * KIB);
	cr_assert_eq(bma_shared_detach(s, g), -ENOENT);
	/* One that grows brings it over. */
	uncharge(s, 95 * KIB);
	cr_assert_eq(bma_shared_attach(s, g, BMA_SHARED_ALL, NONE), 0);
	cr_assert_eq(charge(s, 95 * KIB), 0);
	cr_assert_eq(current(top), 109 * KIB);
	cr_assert_eq(charge(g, 1), -EDQUOT);
	cr_assert_eq(bma__group_room(in(g)), 0);
}

Test(shared, high_and_peak_and_notifications_go_by_it)
{
	struct bma_group *s = charged(100 * KIB), *g = make(NULL, NULL);
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t n = 0;

	attach(s, g, BMA_SHARED_BORROWED);
	cr_assert_eq(bma_group_set(g, BMA_GROUP_HIGH, 10 * KIB), 0);
	cr_assert_eq(bma_group_notify(g, 20 * KIB, fd), 0);
	cr_assert_eq(bma_shared_borrow(s, g, 11 * KIB), 0);
	cr_assert_eq(bma__group_over_high(in(g)), in(g));
	cr_assert_gt(stat_of(g).events[BMA_GROUP_EVENT_HIGH], 0);
	cr_assert_eq(charge(g, 10 * KIB), 0);
	cr_assert_eq(stat_of(g).peak, 21 * KIB);
	bma_poll(0);
	cr_assert_eq(read(fd, &n, sizeof n), sizeof n);
	cr_assert_eq(n, 1);
	cr_assert_eq(bma_shared_unborrow(s, g, 11 * KIB), 0);
	bma_poll(0);
	cr_assert_eq(read(fd, &n, sizeof n), sizeof n);
	cr_assert_eq(n, 1);
	cr_assert_eq(stat_of(g).peak, 21 * KIB);
	cr_assert_null(bma__group_over_high(in(g)));
	cr_assert_eq(bma_group_reset_peak(g), 0);
	cr_assert_eq(stat_of(g).peak, 10 * KIB);
	close(fd);
}

Test(shared, a_limit_that_something_can_be_reclaimed_for)
{
	struct bma_group *s = charged(64 * KIB), *g = make_limited(NULL, NULL, 64 * KIB);
	struct bma_cache *c = cache_of(g, 64);
	void *obj = get(c);

	attach(s, g, BMA_SHARED_BORROWED);
	/* A stock is in the way. */
	cr_assert_gt(stat_of(g).stocked, 0);
	cr_assert_eq(bma_shared_borrow(s, g, 64 * KIB - 64), 0);
	cr_assert_eq(bma_shared_borrow(s, g, 1), -EDQUOT);
	bma_cache_free(c, obj);
}

struct seen {
	struct bma_group *group;
	int n, offline;
};

static int count(struct bma_group *g, const struct bma_group_stats *s, void *arg)
{
	struct seen *seen = arg;

	if (g == seen->group) {
		seen->n++;
		seen->offline = (int)s->offline;
	}
	return 0;
}

Test(shared, visits)
{
	struct seen seen = {.group = make_shared("seen")};
	struct bma_group *g = make(NULL, NULL);

	cr_assert_eq(charge(seen.group, 1), 0);
	attach(seen.group, g, BMA_SHARED_NOTHING);
	cr_assert_eq(bma_shared_visit(count, &seen), 0);
	cr_assert_eq(seen.n, 1);
	cr_assert_eq(seen.offline, 0);
	cr_assert_eq(bma_group_visit(NULL, count, &seen), 0);
	cr_assert_eq(seen.n, 1);
	cr_assert_eq(bma_group_visit(seen.group, count, &seen), 0);
	cr_assert_eq(seen.n, 2);
	cr_assert_eq(bma_shared_destroy(seen.group), 0);
	cr_assert_eq(bma_shared_visit(count, &seen), 0);
	cr_assert_eq(seen.n, 3);
	cr_assert_eq(seen.offline, 1);
}

Test(shared, they_are_printed)
{
	static char text[1 << 16];
	struct bma_group *s = make_shared("printed");
	int fd[2];
	ssize_t n;

	cr_assert_eq(charge(s, 12345), 0);
	cr_assert_eq(pipe(fd), 0);
	cr_assert_eq(bma_stats_print(fd[1]), 0);
	cr_assert_eq(bma_stats_write_json(fd[1]), 0);
	n = read(fd[0], text, sizeof text - 1);
	cr_assert_gt(n, 0);
	cr_assert_not_null(strstr(text, "\n@printed current 12345 "));
	cr_assert_not_null(strstr(text, "{\"path\":\"@printed\",\"current\":12345,"));
	close(fd[0]);
	close(fd[1]);
}

Test(shared, many_pairs)
{
	enum { SHARED = 40, GROUPS = 40 };
	struct bma_group *s[SHARED], *g[GROUPS];

	for (int i = 0; i < SHARED; i++)
		s[i] = charged(KIB);
	for (int i = 0; i < GROUPS; i++) {
		g[i] = make(i ? g[(i - 1) / 3] : NULL, NULL);
		for (int k = 0; k < SHARED; k++) {
			attach(s[k], g[i], BMA_SHARED_BORROWED);
			cr_assert_eq(bma_shared_borrow(s[k], g[i], (uint64_t)(i + k)), 0);
		}
	}
	for (int i = 0; i < GROUPS; i++) {
		for (int k = 0; k < SHARED; k++)
			cr_assert_eq(pair_of(s[k], g[i]).borrowed, (uint64_t)(i + k));
	}
	for (int i = GROUPS; i--;)
		cr_assert_eq(bma_group_destroy(g[i]), 0);
	for (int k = 0; k < SHARED; k++) {
		uncharge(s[k], KIB);
		cr_assert_eq(bma_shared_destroy(s[k]), 0);
		cr_assert(is_gone(s[k]));
	}
}
