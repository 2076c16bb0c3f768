/* SPDX-License-Identifier: MIT */
/*
 * Caches, heaps, reserves and groups of every kind come and go while others walk, recharge, read figures, toggle the heap profile and stop the
 * library's threads: what walks find is whole, and what is gone is not found.
 *
 * Words: threads=N.
 */
#include <bma/bma.h>
#include <bma/profile.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "test.h"

#define MAKERS_MAX 16
#define OBJS 24
#define GROUPS 4

static const uint64_t kinds[] = {
	0,
	BMA_CACHE_SAMPLE,
	BMA_CACHE_MERGE,
	BMA_CACHE_MERGE | BMA_CACHE_COUNT,
	BMA_CACHE_PERCPU,
	BMA_CACHE_PERCPU | BMA_CACHE_MERGE,
	BMA_CACHE_TRACK,
	BMA_CACHE_KEY,
	BMA_CACHE_KEY | BMA_CACHE_MERGE,
	BMA_CACHE_DESTROY_ASYNC,
	BMA_CACHE_QUARANTINE,
	BMA_CACHE_GUARD,
	BMA_CACHE_REDZONE | BMA_CACHE_POISON,
};
static const uint64_t heap_kinds[] = {
	0,
	BMA_HEAP_COUNT,
	BMA_HEAP_PRIVATE,
	BMA_HEAP_DESTROY_ALL,
	BMA_HEAP_PERCPU,
	BMA_HEAP_KERNEL_CLASSES,
	BMA_HEAP_PRIVATE | BMA_HEAP_PERCPU | BMA_HEAP_KERNEL_CLASSES,
};
static unsigned int makers = 3;
static struct bma_group *groups[GROUPS];
static _Atomic bool stop;
static _Atomic long caches, heaps, looks, seen;

static struct bma_group *some_group(uint64_t *r)
{
	return test_random(r) >> 62 ? groups[(test_random(r) >> 33) % GROUPS] : NULL;
}

static uint32_t pick(uint64_t *r, size_t n)
{
	return (uint32_t)((test_random(r) >> 33) % n);
}

static void recharge(struct bma_cache *c, struct bma_heap *h, uint64_t *r)
{
	struct bma_group *to = groups[pick(r, GROUPS)];
	int rc = c ? bma_cache_recharge(c, to) : bma_heap_recharge(h, to);

	CHECK(!rc || rc == -EOPNOTSUPP || rc == -EDQUOT || rc == -EBUSY, "recharge %d", rc);
}

static void use_cache(uint64_t *r)
{
	uint64_t flags = kinds[pick(r, sizeof kinds / sizeof *kinds)];
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .name = "crowd",
				   .size = 8 + pick(r, 500),
				   .flags = flags,
				   .group = some_group(r)};
	struct bma_reserve *reserve = NULL;
	struct bma_cache *c;
	void *objs[OBJS];
	int n = 0, rc;

	if (!(flags & BMA_CACHE_PERCPU) && pick(r, 2))
		a.numa.policy = pick(r, 2) ? BMA_NUMA_INTERLEAVE : BMA_NUMA_NONE;
	c = bma_cache_create(&a);
	CHECK(c, "a cache with flags %#llx: %d", (unsigned long long)flags, errno);
	if (pick(r, 2))
		reserve = bma_reserve_create(c, 5);
	while (n < OBJS && (objs[n] = bma_cache_alloc_flags(c, BMA_SLEEP)))
		n++;
	if (pick(r, 2))
		recharge(c, NULL, r);
	for (int i = 0; i < n; i++) {
		if (i & 3)
			bma_cache_free(c, objs[i]);
		else
			bma_cache_free_rcu(c, objs[i]);
	}
	bma_reserve_destroy(reserve);
	rc = bma_cache_destroy(c);
	CHECK(!rc, "destroy of flags %#llx: %d", (unsigned long long)flags, rc);
	atomic_fetch_add(&caches, 1);
}

static void use_heap(uint64_t *r)
{
	struct bma_heap_attr a = {
		.attr_size = sizeof a,
		.name = "crowd",
		.flags = heap_kinds[pick(r, sizeof heap_kinds / sizeof *heap_kinds)],
		.group = some_group(r)};
	struct bma_heap *h;
	struct bma_heap_stats s;
	void *p, *large;

	if (pick(r, 2))
		a.cache_flags = a.flags & BMA_HEAP_PERCPU ? BMA_CACHE_RANDOM : BMA_CACHE_KEY;
	h = bma_heap_create(&a);
	CHECK(h, "a heap: %d", errno);
	p = bma_heap_alloc_flags(h, 1 + pick(r, 2000), BMA_SLEEP);
	large = bma_heap_alloc_flags(h, 400000, BMA_SLEEP);
	if (pick(r, 2))
		recharge(NULL, h, r);
	CHECK(!bma_heap_stats_get(h, &s, sizeof s), "a heap's figures");
	CHECK(!p || bma_heap_usable_size(p), "size");
	if (!(a.flags & BMA_HEAP_DESTROY_ALL)) {
		if (p)
			bma_heap_free(h, p);
		if (large)
			bma_heap_free(h, large);
	}
	CHECK(!bma_heap_destroy(h), "a heap's end");
	p = bma_heap_alloc(bma_heap_global(), 40);
	if (p)
		bma_heap_free(bma_heap_global(), p);
	atomic_fetch_add(&heaps, 1);
}

static void use_group(uint64_t *r)
{
	struct bma_group_attr a = {.attr_size = sizeof a};
	struct bma_group *g = bma_group_create(groups[pick(r, GROUPS)], &a);
	struct bma_cache_attr ca = {.attr_size = sizeof ca,
				    .size = 64,
				    .flags = pick(r, 2) ? BMA_CACHE_MERGE : 0,
				    .group = g};
	struct bma_cache *c;
	void *p;

	CHECK(g, "a group");
	c = bma_cache_create(&ca);
	CHECK(c, "a cache");
	p = bma_cache_alloc_flags(c, BMA_SLEEP);
	CHECK(!bma_group_destroy(g), "a group's end");
	if (p)
		bma_cache_free(c, p);
	CHECK(!bma_cache_destroy(c), "a cache's end");
}

static void *makes(void *arg)
{
	uint64_t r = test_seed ^ ((uintptr_t)arg + 1) * 0x9e3779b97f4a7c15u;

	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		switch (pick(&r, 8)) {
		case 0:
			use_heap(&r);
			break;
		case 1:
			use_group(&r);
			break;
		default:
			use_cache(&r);
		}
	}
	return NULL;
}

static int see(const struct bma_cache_stats *s, void *arg)
{
	(void)arg;
	CHECK(s->name[0] && s->stride >= s->object_size && s->capacity, "a cache in the making");
	atomic_fetch_add(&seen, 1);
	return 0;
}

static int see_group(struct bma_group *g, const struct bma_group_stats *s, void *arg)
{
	(void)g;
	(void)arg;
	CHECK(!s->depth || s->name[0], "a group in the making");
	return 0;
}

static void *reads(void *arg)
{
	struct bma_group_stats s;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct bma_ledger ledger;

	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		CHECK(!bma_cache_visit("crowd", see, NULL), "visit");
		CHECK(!bma_group_visit(NULL, see_group, NULL), "visit");
		CHECK(!bma_group_stat(groups[0], &s, sizeof s), "figures");
		CHECK(!bma_stats_write(null, BMA_STATS_ALL, NULL), "text");
		CHECK(!bma_ledger_get(&ledger, sizeof ledger), "ledger");
		CHECK(!bma_profile_write(null, 0), "profile");
		atomic_fetch_add(&looks, 1);
	}
	close(null);
	return NULL;
}

static void *trims(void *arg)
{
	uint64_t n = 0;

	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		bma_group_reclaim(groups[n % GROUPS], 1 << 20);
		bma_trim();
		bma_poll(0);
		CHECK(!bma_profile_set(n & 1 ? 500 : 0), "profile");
		if (!(n++ % 8))
			bma_shutdown();
		usleep(500);
	}
	return NULL;
}

static void *polls(void *arg)
{
	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		bma_poll(BMA_POLL_GP);
		usleep(300);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static void *(*const walks[])(void *) = {reads, trims, polls};
	struct bma_group_attr a = {.attr_size = sizeof a};
	double end = test_args(argc, argv, 2);
	pthread_t t[MAKERS_MAX + 3];

	for (int i = 3; i < argc; i++) {
		CHECK(sscanf(argv[i], "threads=%u", &makers) == 1, "word %s", argv[i]);
		CHECK(makers && makers <= MAKERS_MAX, "threads");
	}
	for (int i = 0; i < GROUPS; i++) {
		a.max = i ? (uint64_t)i << 30 : 0;
		groups[i] = bma_group_create(NULL, &a);
		CHECK(groups[i], "group");
	}
	for (uintptr_t i = 0; i < makers + 3; i++)
		CHECK(!pthread_create(&t[i], NULL, i < 3 ? walks[i] : makes, (void *)i), "thread");
	for (end += test_seconds(); test_seconds() < end;)
		usleep(10000);
	stop = true;
	for (unsigned int i = 0; i < makers + 3; i++)
		pthread_join(t[i], NULL);
	printf("caches %ld heaps %ld looks %ld seen %ld\n", (long)caches, (long)heaps, (long)looks,
	       (long)seen);
	CHECK(caches && heaps && looks, "nothing was tried");
	return 0;
}
