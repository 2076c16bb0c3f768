/* SPDX-License-Identifier: MIT */
/*
 * Thousands of calls fail because the system gives no memory. What they had taken before they failed (metadata,
 * magazines, promises of magazines) must be there for the next: memory in use does not grow from one round
 * to the next.
 */
#include "inject.h"

#include <bma/bma.h>

#include <errno.h>

#include "test.h"

#define ROUNDS 20
#define TRIES 8000
#define LARGE ((size_t)1 << 20)

/* Two of these fill a chunk; the tries of all rounds together need more than one segment of magazines. */
static const struct bma_cache_attr large = {
	.attr_size = sizeof large, .name = "large", .size = LARGE, .batch = 1};
static struct bma_cache *cache;

static void fail_alloc(void)
{
	static void *held[8];
	size_t n = 0;

	inject_arm(INJECT_MAP, 1, true);
	/* What is left of the last chunk. */
	while ((held[n] = bma_cache_alloc_flags(cache, BMA_SLEEP)))
		CHECK(++n < 8, "memory from nowhere");
	for (int i = 0; i < TRIES; i++)
		CHECK(!bma_cache_alloc_flags(cache, BMA_SLEEP) && errno == ENOMEM, "alloc");
	inject_disarm();
	bma_cache_free_bulk(cache, held, n);
}

static void fail_create(void)
{
	static void *held[8];
	size_t n = 0;

	inject_arm(INJECT_MAP, 1, true);
	while ((held[n] = bma_cache_alloc_flags(cache, BMA_SLEEP)))
		CHECK(++n < 8, "memory from nowhere");
	for (int i = 0; i < TRIES; i++)
		CHECK(!bma_cache_create(&large) && errno == ENOMEM, "create");
	inject_disarm();
	bma_cache_free_bulk(cache, held, n);
}

static void fail_reserve(void)
{
	inject_arm(INJECT_MAP, 1, true);
	for (int i = 0; i < TRIES / 100; i++)
		CHECK(!bma_reserve_create(cache, 20) && errno == ENOMEM, "reserve");
	inject_disarm();
}

static void serve(void)
{
	void *objs[5];

	CHECK(bma_cache_alloc_bulk(cache, objs, 5, BMA_SLEEP) == 5, "service does not resume");
	bma_cache_free_bulk(cache, objs, 5);
	CHECK(!bma_trim(), "trim");
}

static void check_round(void (*fail)(void), const char *what)
{
	struct bma_cache_stats cs;
	struct bma_stats first = {0}, st;

	for (int round = 0; round < ROUNDS; round++) {
		fail();
		serve();
		bma_stats_get(&st, sizeof st);
		if (round == 1)
			first = st;
	}
	CHECK(st.meta_bytes == first.meta_bytes, "%s: metadata %llu, then %llu", what,
	      (unsigned long long)first.meta_bytes, (unsigned long long)st.meta_bytes);
	CHECK(st.magazine_bytes == first.magazine_bytes, "%s: magazines %llu, then %llu", what,
	      (unsigned long long)first.magazine_bytes, (unsigned long long)st.magazine_bytes);
	CHECK(st.chunk_bytes == first.chunk_bytes && !st.slab_bytes, "%s: chunks", what);
	CHECK(st.caches == 1, "%s: %llu caches", what, (unsigned long long)st.caches);
	bma_cache_stats_get(cache, &cs, sizeof cs);
	CHECK(!cs.live && !cs.reserved, "%s: %llu live", what, (unsigned long long)cs.live);
}

static uint64_t chunk_bytes(void)
{
	struct bma_stats st;

	bma_stats_get(&st, sizeof st);
	return st.chunk_bytes;
}

/* Chunks that could not be unmapped are still there, are used again, and go when they can. */
static void check_unmap(void)
{
	void *objs[6];
	uint64_t before;

	CHECK(bma_cache_alloc_bulk(cache, objs, 6, BMA_SLEEP) == 6, "bulk");
	before = chunk_bytes();
	CHECK(before >= 6 * LARGE, "%llu", (unsigned long long)before);
	bma_cache_free_bulk(cache, objs, 6);
	inject_arm(INJECT_UNMAP, 1, true);
	CHECK(!bma_trim(), "trim");
	CHECK(chunk_bytes() == before, "%llu", (unsigned long long)chunk_bytes());
	CHECK(bma_cache_alloc_bulk(cache, objs, 6, BMA_SLEEP) == 6, "bulk");
	CHECK(chunk_bytes() == before, "they were not used again");
	inject_disarm();
	bma_cache_free_bulk(cache, objs, 6);
	CHECK(!bma_trim(), "trim");
	CHECK(chunk_bytes() == 2 * LARGE, "%llu", (unsigned long long)chunk_bytes());
}

int main(void)
{
	alarm(60);
	setenv("BMA_CONF", "worker:off", 1);
	cache = bma_cache_create(&large);
	CHECK(cache, "create");
	check_round(fail_alloc, "alloc");
	check_round(fail_create, "create");
	check_round(fail_reserve, "reserve");
	check_unmap();
	CHECK(!bma_cache_destroy(cache), "destroy");
	return 0;
}
