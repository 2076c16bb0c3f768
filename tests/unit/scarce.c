/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out where tests/faults rarely gets: metadata is mapped in large blocks, so most of what needs some
 * never sees a map that fails. Also: an address that is too high, handlers of fork that are refused, too many caches.
 */
#include "fault.h"

#include <bma/bma.h>

#include "api/api.h"

#include <errno.h>
#include <string.h>

static int maps_left, refused, advised, unmapped;
static bool no_handlers = true; /* the library is loaded without */
static int registered;

/* In the place of the C library's; nobody forks here. */
int pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
	(void)before, (void)parent, (void)child;
	registered += !no_handlers;
	return no_handlers ? ENOMEM : 0;
}

static void loaded(void)
{
	no_handlers = false;
}

TestSuite(scarce, .init = loaded);

static void *few_maps(size_t bytes)
{
	if (maps_left-- > 0)
		return bma__os_real.map(bytes);
	refused++;
	return NULL;
}

static void maps(int n)
{
	maps_left = n;
	bma__os.map = few_maps;
}

static void all_maps(void)
{
	bma__os.map = bma__os_real.map;
}

/* From here on no map is made, and no metadata is left. */
static void run_out(void)
{
	maps(0);
	for (size_t bytes = 4096; bytes; bytes -= 16) {
		while (bma__meta_alloc(bytes))
			if (refused > 1 << 20)
				abort();
	}
}

static struct bma_cache *cache(uint64_t flags)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64, .batch = 6, .flags = flags};

	return bma_cache_create(&a);
}

Test(scarce, no_slab_without_metadata)
{
	struct bma__engine *e = engine(64, 6);
	uint64_t slabs = atomic_load(&e->nslabs);

	run_out();
	while (bma__refill_magazine(e, 0))
		;
	cr_assert_eq(atomic_load(&e->nslabs), slabs,
		     "the first slab is used up, there is no other");
	all_maps();
	cr_assert_neq(bma__refill_magazine(e, 0), 0);
}

/* It is not even asked for. */
Test(scarce, no_chunk_without_metadata)
{
	bma__env_parse("worker:off");
	run_out();
	refused = 0;
	cr_assert_null(bma__chunk_alloc(BMA__CHUNK_UNITS, 0));
	cr_assert_eq(refused, 1);
	all_maps();
	cr_assert_not_null(bma__chunk_alloc(BMA__CHUNK_UNITS, 0));
}

Test(scarce, no_reserve_without_metadata)
{
	struct bma_cache *c = cache(0);

	run_out();
	errno = 0;
	cr_assert_null(bma_reserve_create(c, 5));
	cr_assert_eq(errno, ENOMEM);
	all_maps();
	cr_assert_eq(bma_cache_destroy(c), 0, "nothing is held back");
}

/* Whichever memory is the first that is not there; @spare: a piece of metadata that there is. */
static struct bma_cache *create_with(int n_maps, void *spare, size_t bytes)
{
	struct bma_cache *c;
	struct bma_stats s;

	run_out();
	maps(n_maps);
	bma__meta_free(spare, bytes);
	errno = 0;
	c = cache(BMA_CACHE_QUARANTINE);
	cr_assert(c || errno == ENOMEM);
	all_maps();
	cr_assert_eq(bma_stats_get(&s, sizeof s), 0);
	cr_assert_eq(s.caches, c != NULL);
	return c;
}

Test(scarce, a_cache_is_there_as_a_whole_or_not_at_all)
{
	struct bma_cache *c;
	size_t bytes;

	setenv("BMA_CONF", "worker:off", 1);
	c = cache(0);
	bytes = c->engine->bytes;
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_null(create_with(0, NULL, 0));
	cr_assert_null(create_with(0, bma__meta_alloc(bytes), bytes), "no quarantine");
	for (int n = 1; !(c = create_with(n, NULL, 0)); n++)
		cr_assert_lt(n, 20);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

static int no_unmap(void *addr, size_t bytes)
{
	(void)addr, (void)bytes;
	return -ENOMEM;
}

Test(scarce, what_cannot_be_unmapped_is_still_counted)
{
	uint64_t before = bma__meta_bytes();
	void *p = bma__meta_alloc(1 << 20);

	cr_assert_not_null(p);
	bma__os.unmap = no_unmap;
	bma__meta_free(p, 1 << 20);
	bma__os.unmap = bma__os_real.unmap;
	cr_assert_eq(bma__meta_bytes(), before + (1 << 20));
}

static int note_advice(void *addr, size_t bytes, int advice)
{
	advised += advice == MADV_HUGEPAGE;
	return bma__os_real.advise(addr, bytes, advice);
}

Test(scarce, huge_pages_are_asked_for_where_they_are_wanted)
{
	bma__os.advise = note_advice;
	setenv("BMA_CONF", "worker:off,thp:on", 1);
	cr_assert_not_null(cache(0));
	cr_assert_eq(advised, 1, "for the one chunk");
}

static void *too_high(size_t bytes)
{
	return bytes < (size_t)1 << 20 ? bma__os_real.map(bytes) : (void *)((uintptr_t)1 << 60);
}

static int note_unmap(void *addr, size_t bytes)
{
	if (addr != (void *)((uintptr_t)1 << 60))
		return bma__os_real.unmap(addr, bytes);
	unmapped++;
	return 0;
}

/* The map of addresses has no place for it. */
Test(scarce, an_address_that_is_too_high_is_given_back)
{
	bma__env_parse("worker:off");
	bma__os.map = too_high;
	bma__os.unmap = note_unmap;
	cr_assert_null(bma__chunk_alloc(1, 0));
	cr_assert_eq(unmapped, 1);
	all_maps();
	cr_assert_not_null(bma__chunk_alloc(1, 0));
}

Test(scarce, no_cache_without_handlers_of_fork)
{
	setenv("BMA_CONF", "worker:off", 1);
	no_handlers = true;
	errno = 0;
	cr_assert_null(cache(0));
	cr_assert_eq(errno, ENOMEM);
	no_handlers = false;
	cr_assert_eq(registered, 0);
	cr_assert_not_null(cache(0));
	cr_assert_eq(bma__fork_init(), 0);
	cr_assert_eq(registered, 1, "once");
}

/* Objects that found no magazine wait in their slabs until there is memory for one. */
Test(scarce, parked_objects_wait_for_memory)
{
	struct bma__engine *e = engine(64, 6);
	struct bma_cache *c;
	void *p;

	c = bma__engine_handle(e);
	p = bma__slot_alloc(e);
	cr_assert_not_null(p);
	run_out();
	while (bma__depot_get_empty(e) || bma__mag_new_sleep(e->class))
		;
	bma__park(e, p, "test");
	cr_assert_eq(bma__park_collect(e), -ENOMEM);
	cr_assert_eq(bma_rcu_barrier(c), -ENOMEM);
	cr_assert_eq(bma__park_count(e), 1);
	all_maps();
	cr_assert_eq(bma_rcu_barrier(c), 0);
	cr_assert_eq(bma__park_count(e), 0);
}

Test(scarce, so_many_caches_and_no_more, .timeout = 120)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 8, .batch = 1};
	struct bma_cache *c = NULL, *last = NULL;
	struct bma_stats s;

	setenv("BMA_CONF", "worker:off", 1);
	for (unsigned int i = 0; i < 65534; i++) {
		last = c;
		c = bma_cache_create(&a);
		cr_assert_not_null(c, "the %uth: %s", i, strerror(errno));
	}
	errno = 0;
	cr_assert_null(bma_cache_create(&a));
	cr_assert_eq(errno, ENOSPC);
	cr_assert_eq(bma_stats_get(&s, sizeof s), 0);
	cr_assert_eq(s.caches, 65534);
	cr_assert_eq(bma_cache_destroy(last), 0);
	cr_assert_not_null(bma_cache_create(&a), "in its place");
}
