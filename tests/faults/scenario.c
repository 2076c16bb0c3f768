/* SPDX-License-Identifier: MIT */
/* The calls of a program, see scenario.h. */
#include "scenario.h"

#include "scenario_group.h"
#include "scenario_heap.h"

#include <bma/bma.h>

#include <errno.h>
#include <stdbool.h>

#include "test.h"

#define HELD_MAX 8000
#define SENTINEL 4711 /* no error number */
#define CONSTRUCTED 0xc0457u

/* An object: what the constructor wrote, then a mark, which also stands in its last word. */
struct subject {
	struct bma_cache_attr attr;
	unsigned int burst; /* objects taken at a time */
	struct bma_cache *cache;
	struct bma_reserve *reserve;
	void *objs[HELD_MAX];
	uint64_t marks[HELD_MAX];
	unsigned int n;
};

static void destruct(void *obj, void *ctx)
{
	(void)ctx;
	((uint64_t *)obj)[1] = 0;
}

static void construct(void *obj, void *ctx)
{
	*(uint64_t *)obj = (uintptr_t)ctx;
}

static struct subject subjects[] = {
	{.attr = {.size = 64}, .burst = 1200},
	{.attr = {.size = 256, .ctor = construct, .ctx = (void *)CONSTRUCTED}, .burst = 700},
	{.attr = {.size = 32, .batch = 1}, .burst = 200},
	{.attr = {.size = 4096, .reserve = 600}, .burst = 300},
	{.attr = {.size = 48, .batch = 6, .high = 12}, .burst = 400},
	{.attr = {.size = 300000, .align = 4096}, .burst = 12},
	{.attr = {.size = 80, .dtor = destruct}, .burst = 300},
	{.attr = {.size = 96, .dtor = destruct, .flags = BMA_CACHE_DTOR_RECYCLE}, .burst = 300},
	{.attr = {.size = 72, .flags = BMA_CACHE_DEBUG}, .burst = 300},
	{.attr = {.size = 56, .flags = BMA_CACHE_MERGE | BMA_CACHE_COUNT}, .burst = 300},
	{.attr = {.size = 24, .flags = BMA_CACHE_PERCPU}, .burst = 200},
};
static long refused, kept;
static uint64_t last_mark;

#define for_each_subject(s)                                                                        \
	for (struct subject *s = subjects; s < subjects + sizeof subjects / sizeof *subjects; s++)

static uint64_t *last_word(const struct subject *s, void *obj)
{
	return (uint64_t *)((char *)obj + s->attr.size - 8);
}

static void hold(struct subject *s, void *obj)
{
	CHECK(s->n < HELD_MAX, "the test holds too many");
	CHECK(!s->attr.ctor || *(uint64_t *)obj == CONSTRUCTED, "not constructed: %p", obj);
	((uint64_t *)obj)[1] = *last_word(s, obj) = s->marks[s->n] = ++last_mark;
	s->objs[s->n++] = obj;
}

/* Let one go that was taken some time ago. */
static void *let_go(struct subject *s)
{
	unsigned int i = s->n * 7919u / 16 % s->n;
	void *obj = s->objs[i];

	CHECK(((uint64_t *)obj)[1] == s->marks[i] && *last_word(s, obj) == s->marks[i],
	      "size %zu: somebody else wrote to %p", s->attr.size, obj);
	s->n--;
	s->objs[i] = s->objs[s->n];
	s->marks[i] = s->marks[s->n];
	return obj;
}

static void check_ledger(struct subject *s)
{
	struct bma_cache_stats st;

	CHECK(!bma_cache_stats_get(s->cache, &st, sizeof st), "stats");
	CHECK(st.live == s->n, "size %zu: live %llu, held %u", s->attr.size,
	      (unsigned long long)st.live, s->n);
	CHECK(st.live + st.cached + st.limbo + st.parked + st.reserved + st.slab_free == st.carved,
	      "size %zu: the ledger does not add up", s->attr.size);
}

/* Returns whether the cache exists. */
static bool create(struct subject *s)
{
	s->attr.attr_size = sizeof s->attr;
	if (!s->cache) {
		errno = SENTINEL;
		s->cache = bma_cache_create(&s->attr);
		CHECK(s->cache || errno == ENOMEM, "create: errno %d", errno);
		refused += !s->cache;
	}
	return s->cache != NULL;
}

static unsigned int take_sleeping(struct subject *s)
{
	unsigned int got = 0;

	for (unsigned int i = 0; i < s->burst; i++) {
		void *obj;

		errno = SENTINEL;
		obj = bma_cache_alloc_flags(s->cache, BMA_SLEEP);
		CHECK(obj || errno == ENOMEM, "alloc: errno %d", errno);
		if (!obj)
			continue;
		hold(s, obj);
		got++;
	}
	return got;
}

static void take_any_context(struct subject *s)
{
	errno = SENTINEL;
	for (unsigned int i = 0; i < s->burst / 2; i++) {
		void *obj = bma_cache_alloc(s->cache);

		if (obj)
			hold(s, obj);
	}
	CHECK(errno == SENTINEL, "an any-context alloc set errno to %d", errno);
}

static void put(struct subject *s, unsigned int n)
{
	errno = SENTINEL;
	while (n-- && s->n) {
		if (n % 3)
			bma_cache_free(s->cache, let_go(s));
		else
			bma_cache_free_rcu(s->cache, let_go(s));
	}
	CHECK(errno == SENTINEL, "a free set errno to %d", errno);
}

static unsigned int bulk(struct subject *s)
{
	void *objs[64];
	size_t n;

	errno = SENTINEL;
	n = bma_cache_alloc_bulk(s->cache, objs, 64, BMA_SLEEP);
	CHECK(n == 64 || errno == ENOMEM, "bulk: %zu, errno %d", n, errno);
	for (size_t i = 0; i < n; i++)
		hold(s, objs[i]);
	for (size_t i = 0; i < n; i++)
		objs[i] = let_go(s);
	bma_cache_free_bulk(s->cache, objs, n);
	return (unsigned int)n;
}

/* Returns whether the reserve exists and is full. */
static bool reserve(struct subject *s)
{
	void *obj;
	int rc;

	errno = SENTINEL;
	if (!s->reserve)
		s->reserve = bma_reserve_create(s->cache, 50);
	CHECK(s->reserve || errno == ENOMEM, "reserve: errno %d", errno);
	if (!s->reserve)
		return false;
	errno = SENTINEL;
	for (int i = 0; i < 30; i++) {
		size_t before = bma_reserve_count(s->reserve);

		obj = bma_reserve_alloc(s->reserve);
		CHECK(!obj == !before, "%zu were left", before);
		if (obj)
			hold(s, obj);
	}
	CHECK(errno == SENTINEL, "the reserve set errno to %d", errno);
	rc = bma_reserve_refill(s->reserve);
	CHECK(!rc || rc == -ENOMEM, "refill: %d", rc);
	CHECK(rc || bma_reserve_count(s->reserve) == 50, "not full");
	return !rc;
}

/* Returns whether it is gone. */
static bool destroy(struct subject *s)
{
	int rc = bma_cache_destroy(s->cache);

	if (s->n || s->reserve)
		CHECK(rc == -EBUSY || rc == -ENOMEM, "destroy with %u live: %d", s->n, rc);
	else
		CHECK(!rc || rc == -ENOMEM, "destroy: %d", rc);
	if (!rc)
		s->cache = NULL;
	kept += rc == -ENOMEM;
	return !rc;
}

static void barrier(struct subject *s)
{
	struct bma_cache_stats st;
	void *obj = s->n ? let_go(s) : NULL;
	int rc = bma_cache_free_rcu_flags(s->cache, obj, BMA_SLEEP);

	CHECK(!rc, "free_rcu that may sleep: %d", rc);
	rc = bma_rcu_barrier(s->cache);
	CHECK(!rc || rc == -ENOMEM, "barrier: %d", rc);
	CHECK(!bma_cache_stats_get(s->cache, &st, sizeof st), "stats");
	CHECK(rc || !st.limbo, "%llu in limbo after a barrier", (unsigned long long)st.limbo);
}

static void process_wide(void)
{
	int rc = bma_poll(0);

	CHECK(rc >= 0, "poll: %d", rc);
	rc = bma_poll(BMA_POLL_GP);
	CHECK(rc >= 0, "poll for a grace period: %d", rc);
	rc = bma_trim();
	CHECK(!rc, "trim: %d", rc);
}

void scenario_play(void)
{
	for_each_subject(s) create(s);
	for_each_subject(s)
	{
		if (!create(s))
			continue;
		take_any_context(s);
		take_sleeping(s);
		bulk(s);
		reserve(s);
		put(s, s->n / 2);
		check_ledger(s);
		barrier(s);
		check_ledger(s);
	}
	scenario_heap_play();
	scenario_group_play();
	process_wide();
	for_each_subject(s)
	{
		if (!create(s))
			continue;
		take_any_context(s);
		put(s, s->n / 2);
		destroy(s); /* most have live objects */
		check_ledger(s);
	}
	/* One goes and comes again. */
	bma_reserve_destroy(subjects[0].reserve);
	subjects[0].reserve = NULL;
	put(&subjects[0], subjects[0].n);
	if (subjects[0].cache)
		destroy(&subjects[0]);
	if (create(&subjects[0]))
		take_sleeping(&subjects[0]);
	CHECK(!bma_shutdown(), "shutdown");
	for_each_subject(s)
	{
		if (!s->cache)
			continue;
		take_sleeping(s);
		check_ledger(s);
	}
	process_wide();
}

void scenario_end(void)
{
	struct bma_stats st;

	for_each_subject(s)
	{
		if (s->cache)
			check_ledger(s);
		CHECK(create(s), "create when nothing fails: size %zu", s->attr.size);
		CHECK(take_sleeping(s) == s->burst, "alloc when nothing fails");
		CHECK(bulk(s) == 64, "bulk when nothing fails");
		CHECK(reserve(s), "reserve when nothing fails");
		take_any_context(s);
		put(s, s->n);
		check_ledger(s);
		bma_reserve_destroy(s->reserve);
		s->reserve = NULL;
		CHECK(destroy(s), "destroy when nothing fails: size %zu", s->attr.size);
	}
	scenario_heap_end();
	scenario_group_end();
	CHECK(!bma_shutdown(), "shutdown");
	CHECK(!bma_trim(), "trim");
	bma_stats_get(&st, sizeof st);
	CHECK(!st.slab_bytes, "%llu bytes of slabs were left", (unsigned long long)st.slab_bytes);
	CHECK(!st.purge_bytes, "%llu bytes still wait", (unsigned long long)st.purge_bytes);
	CHECK(!bma_shutdown(), "shutdown");
}

long scenario_refused(void)
{
	return refused;
}

long scenario_kept(void)
{
	return kept;
}
