/* SPDX-License-Identifier: MIT */
/* Who pays for what, what the calls say that change it, and when a payer ends. */
#include "group.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define SENTINEL 4714 /* no error number */

static struct bma_cache *merged(struct bma_group *g, size_t size, uint64_t flags)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = size, .flags = BMA_CACHE_MERGE | flags, .group = g};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c, "errno %d", errno);
	return c;
}

static struct bma_cache *private(struct bma_group *g, size_t size)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = size, .group = g};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c, "errno %d", errno);
	return c;
}

static struct bma_heap *heap(struct bma_group *g, uint64_t flags)
{
	struct bma_heap_attr a = {.attr_size = sizeof a, .flags = flags, .group = g};
	struct bma_heap *h = bma_heap_create(&a);

	cr_assert_not_null(h, "errno %d", errno);
	return h;
}

static void *taken(struct bma_cache *c)
{
	void *p = bma_cache_alloc_flags(c, BMA_SLEEP);

	cr_assert_not_null(p, "errno %d", errno);
	return p;
}

/* What is charged and has an owner. */
static uint64_t truth(struct bma_group *g)
{
	struct bma_group_stats s = stat_of(g);

	return s.own - s.stocked;
}

static struct bma_cache *handlers_cache;
static void *handlers_object;

static void handler(int sig)
{
	(void)sig;
	handlers_object = bma_cache_alloc(handlers_cache);
}

Test(charge_who, a_handler_charges_the_owner_of_the_cache)
{
	struct bma_group *a = make(NULL, "a"), *b = make(NULL, "b");

	handlers_cache = merged(a, 64, 0);
	bma_cache_free(handlers_cache, taken(handlers_cache));
	signal(SIGUSR1, handler);
	bma_group_enter(b);
	raise(SIGUSR1);
	cr_assert_not_null(handlers_object);
	cr_assert_eq(truth(a), 64);
	cr_assert_eq(stat_of(b).current, 0);
	/* Freed by another's handle. */
	bma_cache_free(merged(b, 64, 0), handlers_object);
	cr_assert_eq(truth(a), 0);
	cr_assert_eq(truth(b), 0);
}

static void *ends_inside(void *group)
{
	bma_group_enter(group);
	return bma_group_active();
}

Test(charge_who, active_groups_nest)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b"), *was, *was_a;
	struct bma_cache *c;
	pthread_t t;
	void *seen;

	cr_assert_null(bma_group_active());
	was = bma_group_enter(a);
	cr_assert_null(was);
	was_a = bma_group_enter(b);
	cr_assert_eq(was_a, a);
	cr_assert_eq(bma_cache_group(merged(NULL, 48, 0)), b);
	cr_assert_eq(bma_heap_group(heap(NULL, BMA_HEAP_PRIVATE)), b);
	cr_assert_eq(bma_cache_group(merged(a, 48, 0)), a, "who is named pays");
	bma_group_leave(was_a);
	cr_assert_eq(bma_group_active(), a);
	c = private(NULL, 48);
	cr_assert_eq(bma_cache_group(c), a);
	cr_assert_eq(bma_group_enter(NULL), a);
	cr_assert_eq(bma_cache_group(private(NULL, 48)), bma_group_root());
	bma_group_leave(was);
	cr_assert_null(bma_group_active());
	/* A thread that ends inside, and one after it that has its memory. */
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(pthread_create(&t, NULL, ends_inside, i % 2 ? a : b), 0);
		cr_assert_eq(pthread_join(t, &seen), 0);
		cr_assert_eq(seen, i % 2 ? a : b);
		cr_assert_null(bma_group_active());
	}
}

Test(charge_who, an_active_group_that_is_gone)
{
	struct bma_group *a = make(NULL, "a");
	struct bma_cache_attr c = {.attr_size = sizeof c, .size = 64};
	struct bma_heap_attr h = {.attr_size = sizeof h};

	bma_group_enter(a);
	cr_assert_eq(bma_group_destroy(a), 0);
	for (int i = 0; i < 2; i++) {
		c.flags = i ? BMA_CACHE_MERGE : 0;
		errno = 0;
		cr_assert_null(bma_cache_create(&c));
		cr_assert_eq(errno, ESTALE);
		h.flags = i ? BMA_HEAP_PRIVATE : 0;
		errno = 0;
		cr_assert_null(bma_heap_create(&h));
		cr_assert_eq(errno, ESTALE);
	}
	errno = 0;
	cr_assert_null(bma_group_create(NULL, NULL));
	cr_assert_eq(errno, ESTALE);
	cr_assert_eq(stat_of(bma_group_root()).groups, 0);
}

Test(charge_who, nobody_pays_for_nocharge)
{
	struct bma_group *root = bma_group_root(), *a = make(NULL, "a");
	struct bma_cache_attr c = {
		.attr_size = sizeof c, .size = 64, .flags = BMA_CACHE_NOCHARGE, .group = a};
	struct bma_cache *cache;
	uint64_t current;
	void *p;

	errno = 0;
	cr_assert_null(bma_cache_create(&c));
	cr_assert_eq(errno, EPERM);
	c.group = NULL;
	bma_group_enter(a);
	errno = 0;
	cr_assert_null(bma_cache_create(&c));
	cr_assert_eq(errno, EPERM);
	bma_group_leave(NULL);
	c.group = root;
	cr_assert_eq(bma_group_set(root, BMA_GROUP_MAX, 1), 0);
	cache = bma_cache_create(&c);
	cr_assert_not_null(cache);
	current = stat_of(root).current;
	p = taken(cache);
	cr_assert_geq(stat_of(root).uncharged, 65536);
	cr_assert_eq(stat_of(root).current, current);
	cr_assert_eq(bma_cache_recharge(cache, a), -EOPNOTSUPP);
	bma_cache_free(cache, p);
	cr_assert_eq(bma_cache_destroy(cache), 0);
	bma_trim();
	cr_assert_eq(stat_of(root).uncharged, 0);
}

Test(charge_who, creation_over_a_limit)
{
	struct bma_group *a = make_limited(NULL, "a", 200000);
	struct bma_cache_attr c = {
		.attr_size = sizeof c, .size = 4096, .reserve = 1000, .group = a};
	struct bma_group_stats s;

	setenv("BMA_CONF", "worker:off", 1);
	errno = 0;
	cr_assert_null(bma_cache_create(&c));
	cr_assert_eq(errno, EDQUOT);
	bma_trim();
	s = stat_of(a);
	cr_assert_eq(s.current, 0, "%llu", (unsigned long long)s.current);
	cr_assert_eq(s.payers, 0);
	c.reserve = 10;
	cr_assert_not_null(bma_cache_create(&c));
}

Test(charge_who, recharge_refused_leaves_all_as_it_was)
{
	struct bma_group *a = make(NULL, "a"), *b = make_limited(NULL, "b", 999), *gone;
	struct bma_cache *c = merged(a, 1000, 0), *plain = merged(NULL, 1000, 0);
	struct bma_heap *h = heap(a, 0), *nobodys = heap(NULL, 0);
	void *p = taken(c);
	struct bma_group_stats s;

	cr_assert_not_null(bma_heap_alloc_flags(h, 2000, BMA_SLEEP));
	cr_assert_eq(bma_cache_recharge(c, b), -EDQUOT);
	cr_assert_eq(bma_heap_recharge(h, b), -EDQUOT);
	cr_assert_eq(bma_cache_group(c), a);
	cr_assert_eq(bma_heap_group(h), a);
	s = stat_of(b);
	cr_assert(!s.current && !s.payers && !s.objects);
	cr_assert_eq(stat_of(a).objects, 2);
	cr_assert_eq(bma_cache_recharge(plain, a), -EOPNOTSUPP);
	cr_assert_eq(bma_heap_recharge(nobodys, a), -EOPNOTSUPP);
	gone = make(NULL, "gone");
	cr_assert_eq(bma_group_destroy(gone), 0);
	cr_assert_eq(bma_cache_recharge(c, gone), -ESTALE);
	cr_assert_eq(bma_heap_recharge(h, gone), -ESTALE);
	cr_assert_eq(bma_cache_group(c), a);
	/* What fits exactly goes. */
	cr_assert_eq(bma_group_set(b, BMA_GROUP_MAX, 1000), 0);
	cr_assert_eq(bma_cache_recharge(c, b), 0);
	cr_assert_eq(stat_of(b).current, 1000);
	cr_assert_eq(bma_group_recharge(h, bma_group_root()), 0);
	bma_trim();
	cr_assert_eq(stat_of(a).current, 0);
	bma_cache_free(c, p);
	cr_assert_eq(truth(b), 0);
}

Test(charge_who, destroying)
{
	struct bma_group *a = make(NULL, "a"), *b = make(a, "b"), *c = make(b, "c");
	struct bma_cache *cache = merged(c, 104, 0);
	struct bma_cache *slabs = private(c, 104);
	void *p = taken(cache), *q = taken(slabs);
	uint64_t own;

	cr_assert_eq(bma_group_destroy(a), -EBUSY);
	cr_assert_eq(bma_group_destroy(b), -EBUSY);
	cr_assert_eq(bma_group_destroy(bma_group_root()), -EINVAL);
	cr_assert_eq(bma_group_destroy(NULL), 0);
	/* So that the worker has nothing to carve meanwhile. */
	bma_poll(0);
	own = truth(c);
	cr_assert_eq(bma_group_destroy(c), 0);
	cr_assert_eq(bma_group_destroy(c), -ESTALE);
	cr_assert_eq(bma_cache_group(cache), b);
	cr_assert_eq(bma_cache_group(slabs), b);
	cr_assert_eq(truth(b), own);
	cr_assert_eq(stat_of(b).objects, 1);
	bma_cache_free(cache, p);
	bma_cache_free(slabs, q);
	cr_assert_eq(truth(b), own - 104);
	cr_assert_eq(bma_group_destroy(b), 0);
	cr_assert_eq(bma_cache_group(cache), a);
	cr_assert_eq(bma_group_destroy(a), 0);
	cr_assert_eq(bma_cache_group(cache), bma_group_root());
}

Test(charge_who, a_name_stays_until_the_last_byte)
{
	struct bma_group_attr attr = {
		.attr_size = sizeof attr, .name = "off", .flags = BMA_GROUP_OFFLINE};
	struct bma_group *off = bma_group_create(NULL, &attr), *empty;
	struct bma_cache *c = merged(off, 304, 0), *other = merged(bma_group_root(), 304, 0);
	void *p = taken(c), *q = taken(c);
	struct bma_cache_attr refused = {.attr_size = sizeof refused, .size = 64, .group = off};
	struct bma_group_stats s;

	cr_assert_eq(bma_group_destroy(off), 0);
	s = stat_of(off);
	cr_assert(s.offline);
	cr_assert_eq(s.current - s.stocked, 608);
	cr_assert_eq(s.objects, 2);
	cr_assert_eq(bma_group_find("/off"), off);
	errno = 0;
	cr_assert_null(bma_cache_create(&refused));
	cr_assert_eq(errno, ESTALE);
	cr_assert_null(bma_group_create(off, NULL));
	cr_assert_eq(bma_cache_recharge(other, off), -ESTALE);
	cr_assert_eq(bma_cache_destroy(c), 0);
	bma_cache_free(other, p);
	bma_trim();
	cr_assert_eq(stat_of(off).current, 304);
	bma_cache_free(other, q);
	bma_trim();
	cr_assert_eq(bma_group_stat(off, &s, sizeof s), -ESTALE);
	cr_assert_null(bma_group_find("/off"));
	/* One of which nothing was left does not stay. */
	attr.name = "empty";
	empty = bma_group_create(NULL, &attr);
	cr_assert_eq(bma_group_destroy(empty), 0);
	cr_assert_eq(bma_group_stat(empty, &s, sizeof s), -ESTALE);
}

/* A handle is closed and its objects are live: who paid pays until they are gone. */
Test(charge_who, closed_handles)
{
	struct bma_group *a = make(NULL, "a"), *b = make(NULL, "b");
	struct bma_cache *c = merged(a, 504, 0), *other = merged(b, 504, 0);
	struct bma_cache *counted = merged(a, 504, BMA_CACHE_COUNT);
	struct bma_heap *h = heap(a, 0), *h2 = heap(b, 0);
	void *p = taken(c), *q = taken(counted), *r = bma_heap_alloc_flags(h, 504, BMA_SLEEP);

	cr_assert_not_null(r);
	cr_assert_eq(stat_of(a).payers, 3);
	cr_assert_eq(bma_cache_destroy(counted), -EBUSY);
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_eq(bma_heap_destroy(h), 0);
	bma_trim();
	cr_assert_eq(stat_of(a).payers, 3);
	cr_assert_eq(stat_of(a).objects, 3);
	cr_assert_eq(stat_of(a).current, 504 * 2 + bma_heap_usable_size(r));
	bma_cache_free_rcu(other, p);
	bma_heap_free(h2, r);
	cr_assert_eq(bma_rcu_barrier(other), 0);
	bma_trim();
	cr_assert_eq(stat_of(a).payers, 1);
	cr_assert_eq(stat_of(a).current, 504);
	bma_cache_free(other, q);
	cr_assert_eq(bma_cache_destroy(counted), 0, "freed by another handle, counted by its own");
	bma_trim();
	cr_assert_eq(stat_of(a).payers, 0);
	cr_assert_eq(stat_of(a).current, 0);
	cr_assert_eq(stat_of(b).current, 0);
}

/* What is over a limit, in both forms of the calls. */
Test(charge_who, errno_of_failures)
{
	struct bma_group *a = make_limited(NULL, "a", 600);
	struct bma_cache *c = merged(a, 504, 0);
	struct bma_heap *h = heap(a, 0);
	void *objs[4];

	cr_assert_not_null(taken(c));
	errno = SENTINEL;
	cr_assert_null(bma_cache_alloc(c));
	cr_assert_null(bma_cache_alloc_flags(c, BMA_ZERO));
	cr_assert_eq(bma_cache_alloc_bulk(c, objs, 4, 0), 0);
	cr_assert_null(bma_heap_alloc(h, 200));
	cr_assert_null(bma_heap_alloc(h, 300000));
	cr_assert_eq(errno, SENTINEL);
#define REFUSED(call)                                                                              \
	do {                                                                                       \
		errno = SENTINEL;                                                                  \
		cr_assert_not(call);                                                               \
		cr_assert_eq(errno, EDQUOT, "errno %d", errno);                                    \
	} while (0)
	REFUSED(bma_cache_alloc_flags(c, BMA_SLEEP));
	REFUSED(bma_cache_alloc_bulk(c, objs, 4, BMA_SLEEP));
	REFUSED(bma_heap_alloc_flags(h, 200, BMA_SLEEP));
	REFUSED(bma_heap_alloc_flags(h, 300000, BMA_SLEEP));
	cr_assert_eq(truth(a), 504);
	cr_assert_geq(stat_of(a).fails[BMA_GROUP_FAIL_LIMIT], 5);
}

/* One that pays by the slab has what its slabs hold, and no more. */
Test(charge_who, errno_of_failures_by_the_slab)
{
	struct bma_group *a = make(NULL, "a");
	struct bma_cache *c = private(a, 504);
	uint64_t max = stat_of(a).current + 65536;
	int n = 0;

	cr_assert_eq(bma_group_set(a, BMA_GROUP_MAX, max), 0);
	errno = SENTINEL;
	while (bma_cache_alloc_flags(c, BMA_SLEEP)) {
		errno = SENTINEL;
		cr_assert_lt(n++, 100000);
	}
	cr_assert_eq(errno, EDQUOT);
	cr_assert_leq(stat_of(a).current, max);
	cr_assert_geq((uint64_t)n * 504, max / 8 * 7 - 65536);
	errno = SENTINEL;
	cr_assert_null(bma_cache_alloc(c));
	cr_assert_eq(errno, SENTINEL);
	REFUSED(bma_cache_alloc_flags(c, BMA_SLEEP));
}
#undef REFUSED

/* A stock keeps no more than the tightest limit, of whatever level, allows for. */
Test(charge_who, stocks_are_bounded)
{
	enum { N = 4000 };
	static void *objs[N];
	uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_CONF), most = (uint64_t)3 << 20;
	struct bma_group *a = make_limited(NULL, "a", most), *b = make(a, "b");
	struct bma_cache *c = merged(b, 256, 0);
	uint64_t cap = 2 * (most / (32 * cpus)), bound;

	cap = cap < 131072 ? cap : 131072;
	bound = cap * (bma_percpu_copies() + 1);
	for (int round = 0; round < 3; round++) {
		int n = 0;

		while (n < N && (objs[n] = bma_cache_alloc_flags(c, round ? 0 : BMA_SLEEP))) {
			cr_assert_leq(stat_of(b).stocked, bound);
			n++;
		}
		while (n--) {
			bma_cache_free(c, objs[n]);
			cr_assert_leq(stat_of(b).stocked, bound);
		}
	}
}
