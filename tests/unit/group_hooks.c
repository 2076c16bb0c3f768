/* SPDX-License-Identifier: MIT */
/* Thresholds told by eventfd, shrinkers, visits. */
#include "group.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int event_fd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

/* How often it was told. */
static uint64_t told(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

/* What the worker does with it. */
static void serve(void)
{
	struct bma_group *g;
	uint32_t work;

	while ((g = bma__group_take_work(&work))) {
		if (work & BMA__GROUP_WORK_NOTIFY)
			bma__notify_run(g);
	}
}

Test(group_hooks, both_directions)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b");
	int fd = event_fd();

	cr_assert_eq(bma_group_notify(a, 100, fd), 0);
	charge(b, 99);
	serve();
	cr_assert_eq(told(fd), 0);
	charge(b, 1);
	cr_assert_eq(told(fd), 0, "by who serves, not by the charge");
	serve();
	cr_assert_eq(told(fd), 1);
	charge(b, 1000);
	uncharge(b, 1000);
	serve();
	cr_assert_eq(told(fd), 0, "still above");
	uncharge(b, 1);
	serve();
	cr_assert_eq(told(fd), 1);
	uncharge(b, 99);
	serve();
	cr_assert_eq(told(fd), 0);
	charge(b, 500);
	serve();
	cr_assert_eq(told(fd), 1);
	close(fd);
}

Test(group_hooks, there_and_back_before_anybody_looks)
{
	struct bma_group *g = make(NULL, "g");
	int fd = event_fd();

	cr_assert_eq(bma_group_notify(g, 100, fd), 0);
	charge(g, 150);
	uncharge(g, 150);
	serve();
	cr_assert_eq(told(fd), 2);
	serve();
	cr_assert_eq(told(fd), 0);
	charge(g, 150);
	serve();
	cr_assert_eq(told(fd), 1);
	uncharge(g, 150);
	charge(g, 150);
	serve();
	cr_assert_eq(told(fd), 2);
	close(fd);
}

Test(group_hooks, several_thresholds)
{
	struct bma_group *g = make(NULL, "g");
	int one = event_fd(), two = event_fd(), three = event_fd();

	charge(g, 150);
	cr_assert_eq(bma_group_notify(g, 200, two), 0);
	cr_assert_eq(bma_group_notify(g, 100, one), 0);
	cr_assert_eq(bma_group_notify(g, 300, three), 0);
	serve();
	cr_assert_eq(told(one) + told(two) + told(three), 0, "what is so already is no news");
	charge(g, 100);
	serve();
	cr_assert(!told(one) && told(two) == 1 && !told(three));
	charge(g, 100);
	serve();
	cr_assert(!told(one) && !told(two) && told(three) == 1);
	uncharge(g, 300);
	serve();
	cr_assert(told(one) == 1 && told(two) == 1 && told(three) == 1);
	/* A new one is not told of what was before it. */
	charge(g, 400);
	uncharge(g, 400);
	cr_assert_eq(bma_group_notify(g, 350, three), 0);
	serve();
	cr_assert(told(one) == 2 && told(two) == 2 && told(three) == 2);
	close(one), close(two), close(three);
}

Test(group_hooks, a_refused_charge_crosses_nothing)
{
	struct bma_group *a = make_limited(NULL, "a", 100), *b = make(a, "b");
	int fd = event_fd();

	cr_assert_eq(bma_group_notify(b, 50, fd), 0);
	cr_assert_eq(charge(b, 101), -EDQUOT);
	serve();
	cr_assert_eq(told(fd), 0);
	close(fd);
}

Test(group_hooks, notifications_end)
{
	struct bma_group *g = make(NULL, "g");
	int fd = event_fd(), other = event_fd();

	cr_assert_eq(bma_group_notify(g, 100, fd), 0);
	cr_assert_eq(bma_group_notify(g, 200, fd), 0);
	cr_assert_eq(bma_group_notify(g, 100, other), 0);
	cr_assert_eq(bma_group_unnotify(g, fd), 0);
	cr_assert_eq(bma_group_unnotify(g, fd), -ENOENT);
	cr_assert_eq(bma_group_unnotify(g, -1), -ENOENT);
	charge(g, 300);
	serve();
	cr_assert_eq(told(fd), 0);
	cr_assert_eq(told(other), 1);
	cr_assert_eq(bma_group_unnotify(g, other), 0);
	cr_assert_eq(atomic_load(&in(g)->notify_low), 0);
	cr_assert_eq(atomic_load(&in(g)->notify_high), UINT64_MAX);
	cr_assert_eq(bma_group_notify(g, 300, other), 0);
	uncharge(g, 300);
	take_away(g);
	serve();
	cr_assert_leq(told(other), 1);
	cr_assert_eq(bma_group_notify(g, 1, fd), -ESTALE);
	cr_assert_eq(bma_group_unnotify(g, fd), -ESTALE);
}

Test(group_hooks, what_notify_refuses)
{
	struct bma_group *g = make(NULL, "g");
	int fd = event_fd(), blocking = eventfd(0, 0);

	cr_assert_eq(bma_group_notify(g, 0, fd), -EINVAL);
	cr_assert_eq(bma_group_notify(g, 1, blocking), -EINVAL);
	cr_assert_eq(bma_group_notify(g, 1, -1), -EBADF);
	for (uint64_t i = 1; i <= 16; i++)
		cr_assert_eq(bma_group_notify(g, i, fd), 0);
	cr_assert_eq(bma_group_notify(g, 17, fd), -ENOSPC);
	charge(g, 100);
	serve();
	cr_assert_eq(told(fd), 16);
}

struct shrinker {
	uint64_t there; /* what it can give */
	int number, counted, scanned;
	uint64_t asked;
	struct bma_group *group;
};

static int order[16], calls;

static uint64_t count(void *ctx)
{
	struct shrinker *s = ctx;

	cr_assert_not(bma__lock_mine(&bma__group_lock));
	s->counted++;
	return s->there;
}

static uint64_t scan(uint64_t bytes, void *ctx)
{
	struct shrinker *s = ctx;

	cr_assert_not(bma__lock_mine(&bma__group_lock));
	order[calls++] = s->number;
	s->scanned++;
	s->asked = bytes;
	s->there -= bytes;
	/* From here no shrinker runs, not even of another group. */
	cr_assert_eq(bma__shrinkers_run(s->group, 1000), 0);
	return bytes;
}

Test(group_hooks, shrinkers_in_their_order)
{
	struct bma_group *g = make(NULL, "g"), *other = make(NULL, "other");
	struct shrinker s[4] = {{100, 1, 0, 0, 0, other},
				{0, 2, 0, 0, 0, other},
				{50, 3, 0, 0, 0, other},
				{70, 4, 0, 0, 0, other}};
	struct bma_shrinker *r[4], *away;

	for (int i = 0; i < 4; i++) {
		r[i] = bma_shrinker_register(g, count, scan, &s[i]);
		cr_assert_not_null(r[i]);
	}
	away = bma_shrinker_register(other, count, scan, &s[0]);
	cr_assert_eq(bma__shrinkers_run(g, 130), 130);
	cr_assert_eq(calls, 2);
	cr_assert(order[0] == 1 && order[1] == 3);
	cr_assert(s[0].asked == 100 && s[2].asked == 30);
	cr_assert_eq(s[1].counted, 1);
	cr_assert_eq(s[1].scanned, 0, "it has nothing");
	cr_assert_eq(s[3].counted, 0, "it was enough");
	bma_shrinker_unregister(r[2]);
	cr_assert_eq(bma__shrinkers_run(g, 1000), 70);
	cr_assert_eq(s[2].scanned, 1);
	bma_shrinker_unregister(r[0]);
	bma_shrinker_unregister(r[3]);
	bma_shrinker_unregister(r[1]);
	bma_shrinker_unregister(NULL);
	s[0].there = 10;
	cr_assert_eq(bma__shrinkers_run(g, 1000), 0);
	cr_assert_eq(bma__shrinkers_run(other, 1000), 10);
	/* Their group goes first. */
	take_away(other);
	s[0].there = 10;
	cr_assert_eq(bma__shrinkers_run(other, 1000), 0);
	other = make(NULL, "other"); /* at its place */
	cr_assert_eq(bma__shrinkers_run(other, 1000), 0);
	bma_shrinker_unregister(away);
}

Test(group_hooks, what_shrinker_register_refuses)
{
	struct bma_group *g = make(NULL, "g");

	errno = 0;
	cr_assert_null(bma_shrinker_register(g, NULL, scan, NULL));
	cr_assert_eq(errno, EINVAL);
	errno = 0;
	cr_assert_null(bma_shrinker_register(g, count, NULL, NULL));
	cr_assert_eq(errno, EINVAL);
	take_away(g);
	errno = 0;
	cr_assert_null(bma_shrinker_register(g, count, scan, NULL));
	cr_assert_eq(errno, ESTALE);
}

static _Atomic int running, most, go, ended;
static struct bma_group *slow_group;

static uint64_t slow_count(void *ctx)
{
	(void)ctx;
	return 1;
}

static uint64_t slow_scan(uint64_t bytes, void *ctx)
{
	int now = atomic_fetch_add(&running, 1) + 1;

	(void)ctx;
	if (now > atomic_load(&most))
		atomic_store(&most, now);
	while (!atomic_load(&go))
		;
	bma__os_sleep(2000000);
	atomic_fetch_sub(&running, 1);
	return bytes;
}

static void *shrink(void *unused)
{
	(void)unused;
	cr_assert_eq(bma__shrinkers_run(slow_group, 1), 1);
	return NULL;
}

static void *unregister(void *arg)
{
	bma_shrinker_unregister(arg);
	cr_assert_eq(atomic_load(&running), 0);
	atomic_store(&ended, 1);
	return NULL;
}

static void wait_running(void)
{
	while (!atomic_load(&running))
		;
}

Test(group_hooks, who_unregisters_waits)
{
	pthread_t runner, other;
	struct bma_shrinker *s;

	slow_group = make(NULL, "g");
	s = bma_shrinker_register(slow_group, slow_count, slow_scan, NULL);
	pthread_create(&runner, NULL, shrink, NULL);
	wait_running();
	pthread_create(&other, NULL, unregister, s);
	bma__os_sleep(20000000);
	cr_assert_eq(atomic_load(&ended), 0);
	/* It is on its way out: nobody else begins to run it. */
	cr_assert_eq(bma__shrinkers_run(slow_group, 1), 0);
	atomic_store(&go, 1);
	pthread_join(runner, NULL);
	pthread_join(other, NULL);
	cr_assert_eq(atomic_load(&ended), 1);
}

Test(group_hooks, who_unregisters_waits_though_the_group_is_gone)
{
	pthread_t runner, other;
	struct bma_shrinker *s;

	slow_group = make(NULL, "g");
	s = bma_shrinker_register(slow_group, slow_count, slow_scan, NULL);
	pthread_create(&runner, NULL, shrink, NULL);
	wait_running();
	take_away(slow_group);
	pthread_create(&other, NULL, unregister, s);
	bma__os_sleep(20000000);
	cr_assert_eq(atomic_load(&ended), 0);
	atomic_store(&go, 1);
	pthread_join(runner, NULL);
	pthread_join(other, NULL);
}

/* Those who come while it runs go on without it. */
static void *shrink_if_free(void *unused)
{
	(void)unused;
	cr_assert_leq(bma__shrinkers_run(slow_group, 1), 1);
	return NULL;
}

Test(group_hooks, one_at_a_time)
{
	pthread_t threads[4];

	slow_group = make(NULL, "g");
	atomic_store(&go, 1);
	cr_assert_not_null(bma_shrinker_register(slow_group, slow_count, slow_scan, NULL));
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, shrink_if_free, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(atomic_load(&most), 1);
}

/* Threads that a child of fork has not do not run anything there. */
Test(group_hooks, runners_are_forgotten)
{
	pthread_t runner;
	struct bma_shrinker *s, *gone;
	struct bma_group *other = make(NULL, "other");

	slow_group = make(NULL, "g");
	s = bma_shrinker_register(slow_group, slow_count, slow_scan, NULL);
	pthread_create(&runner, NULL, shrink, NULL);
	wait_running();
	gone = bma_shrinker_register(other, slow_count, slow_scan, NULL);
	take_away(other);
	bma__lock_take(&bma__group_lock);
	bma__shrinkers_forget();
	bma__lock_drop(&bma__group_lock);
	bma_shrinker_unregister(s); /* does not wait */
	cr_assert_eq(atomic_load(&running), 1);
	bma_shrinker_unregister(gone);
}

Test(group_hooks, an_offline_group_has_none)
{
	struct bma_group_attr attr = {.attr_size = sizeof attr, .flags = BMA_GROUP_OFFLINE};
	struct bma_group *g = bma_group_create(NULL, &attr);
	struct shrinker s = {.there = 100, .group = g};
	struct bma_shrinker *r = bma_shrinker_register(g, count, scan, &s);
	int fd = event_fd();

	charge(g, 10);
	cr_assert_eq(bma_group_notify(g, 5, fd), 0);
	cr_assert_eq(move(g, bma_group_root(), 10), 0);
	take_away(g);
	serve();
	cr_assert_eq(told(fd), 0);
	cr_assert_eq(bma_group_notify(g, 5, fd), -ESTALE);
	cr_assert_eq(bma_group_unnotify(g, fd), -ENOENT);
	cr_assert_eq(bma__shrinkers_run(g, 10), 0);
	free_offline(g);
	bma_shrinker_unregister(r);
	close(fd);
}

struct visits {
	int n, stop;
	char names[16][32];
	bool take_away;
};

static int visit(struct bma_group *g, const struct bma_group_stats *s, void *arg)
{
	struct visits *v = arg;

	memcpy(v->names[v->n++], s->name, sizeof s->name);
	cr_assert_not(bma__lock_mine(&bma__group_lock));
	if (v->take_away && !s->groups && s->depth)
		take_away(g);
	return v->n == v->stop ? 77 : 0;
}

/* /a/{b/{c,d},e}, /f */
static struct bma_group *plant(void)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b");

	make(b, "c");
	make(b, "d");
	make(a, "e");
	make(NULL, "f");
	return a;
}

static int where(const struct visits *v, const char *name)
{
	for (int i = 0; i < v->n; i++) {
		if (!strcmp(v->names[i], name))
			return i;
	}
	return -1;
}

Test(group_hooks, visits_are_parents_first)
{
	struct bma_group *a = plant();
	struct visits v = {0}, part = {0}, leaf = {0}, some = {.stop = 2};

	cr_assert_eq(bma_group_visit(NULL, visit, &v), 0);
	cr_assert_eq(v.n, 7);
	cr_assert_eq(where(&v, ""), 0);
	cr_assert_lt(where(&v, "a"), where(&v, "b"));
	cr_assert_lt(where(&v, "b"), where(&v, "c"));
	cr_assert_lt(where(&v, "b"), where(&v, "d"));
	cr_assert_lt(where(&v, "a"), where(&v, "e"));
	cr_assert_geq(where(&v, "f"), 1);
	cr_assert_eq(bma_group_visit(a, visit, &part), 0);
	cr_assert_eq(part.n, 5);
	cr_assert_eq(where(&part, "a"), 0);
	cr_assert_eq(where(&part, "f"), -1);
	cr_assert_eq(bma_group_visit(bma_group_find("/f"), visit, &leaf), 0);
	cr_assert_eq(leaf.n, 1, "no brothers");
	cr_assert_eq(bma_group_visit(NULL, visit, &some), 77);
	cr_assert_eq(some.n, 2);
}

Test(group_hooks, the_visitor_may_take_away)
{
	struct visits v = {.take_away = true}, again = {.take_away = true}, last = {0};

	plant();
	cr_assert_eq(bma_group_visit(NULL, visit, &v), 0);
	cr_assert_eq(v.n, 7);
	cr_assert_eq(bma_group_visit(NULL, visit, &again), 0);
	cr_assert_eq(again.n, 3, "c, d, e and f are gone");
	cr_assert_eq(bma_group_visit(NULL, visit, &last), 0);
	cr_assert_eq(last.n, 2);
}

static int take_rest(struct bma_group *g, const struct bma_group_stats *s, void *arg)
{
	int *n = arg;
	static const char *const rest[] = {"/a/b/c", "/a/b/d", "/a/b", "/a/e", "/a"};

	(void)g, (void)s;
	if (!(*n)++) {
		for (int i = 0; i < 5; i++)
			take_away(bma_group_find(rest[i]));
	}
	return 0;
}

Test(group_hooks, what_went_meanwhile_is_not_visited)
{
	int n = 0;

	plant();
	cr_assert_eq(bma_group_visit(NULL, take_rest, &n), 0);
	cr_assert_eq(n, 2, "the root, and f");
}
