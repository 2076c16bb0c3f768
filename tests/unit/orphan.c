/* SPDX-License-Identifier: MIT */
/* Shared engines that lost their handles, from inside. */
#include "cache/cache.h"
#include "obs/obs.h"

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

static struct bma_heap *heap(uint64_t flags)
{
	struct bma_heap_attr a = {.attr_size = sizeof a, .flags = flags};
	struct bma_heap *h = bma_heap_create(&a);

	cr_assert_not_null(h);
	return h;
}

static struct bma__engine *engine_of(struct bma_heap *h, size_t size)
{
	return bma_heap_cache(h, size)->engine;
}

/* While an orphan is looked at it can be found, and who wants it waits: there are never two of a kind. */
static void *make_another(void *arg)
{
	(void)arg;
	return heap(0);
}

Test(orphan, no_two_of_a_kind)
{
	struct bma_heap *first = heap(0), *second;
	void *p = bma_heap_alloc(first, 64);
	struct bma__engine *e = engine_of(first, 64);
	pthread_t thread;

	cr_assert_not_null(p);
	cr_assert_eq(bma_heap_destroy(first), 0);
	bma__lock_take(&bma__merge_lock);
	e->reaped = true;
	bma__lock_drop(&bma__merge_lock);
	pthread_create(&thread, NULL, make_another, NULL);
	bma__os_sleep(20000000);
	bma__lock_take(&bma__merge_lock);
	e->reaped = false;
	bma__lock_drop(&bma__merge_lock);
	pthread_join(thread, (void **)&second);
	cr_assert_eq(engine_of(second, 64), e);
	bma_heap_free_sized(second, p, 64);
	bma_trim();
	cr_assert_eq(e->objs_carved, e->objs_home);
}

/* Somebody who freed the last object is still in the call. */
Test(orphan, it_stays_while_somebody_is_inside)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = 72, .flags = BMA_CACHE_DESTROY_ASYNC};
	struct bma_cache *c = bma_cache_create(&a);
	uint64_t with = bma__engine_number();
	struct bma__ticket ticket = bma__ticket_open(c->engine);

	cr_assert_eq(bma_cache_destroy(c), 0);
	bma__orphan_reap(true);
	cr_assert_eq(bma__engine_number(), with);
	bma__ticket_close(&ticket);
	bma__orphan_reap(true);
	cr_assert_eq(bma__engine_number(), with - 1);
}

/* Closed, opened and closed again while it is still listed: it must not be served meanwhile. */
Test(orphan, twice_an_orphan)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 72, .flags = BMA_CACHE_MERGE};
	struct bma_cache *c = bma_cache_create(&a);
	struct bma__engine *e = c->engine;

	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert(atomic_load(&e->dying));
	c = bma_cache_create(&a);
	cr_assert_eq(c->engine, e);
	cr_assert(!atomic_load(&e->dying));
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert(atomic_load(&e->dying));
}

/* In the child nobody looks at it any more. */
Test(orphan, fork_while_one_is_looked_at)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 72, .flags = BMA_CACHE_MERGE};
	struct bma_cache *c = bma_cache_create(&a);
	struct bma__engine *e = c->engine;
	uint64_t with = bma__engine_number();
	int status;
	pid_t pid;

	cr_assert_eq(bma_cache_destroy(c), 0);
	e->reaped = true;
	pid = fork();
	if (!pid) {
		c = bma_cache_create(&a);
		if (!c || c->engine != e || bma_cache_destroy(c))
			_exit(1);
		bma__orphan_reap(true);
		_exit(bma__engine_number() == with - 1 ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0, "%x", (unsigned int)status);
	e->reaped = false;
}

static void destruct(void *obj, void *ctx)
{
	(void)obj;
	++*(int *)ctx;
}

/* Nobody asks for its destructors but who looks at it. */
Test(orphan, destructors_run_though_nobody_asks)
{
	int n = 0;
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .size = 72,
				   .dtor = destruct,
				   .ctx = &n,
				   .flags = BMA_CACHE_DESTROY_ASYNC};
	struct bma_cache *c;
	uint64_t before;

	setenv("BMA_CONF", "worker:off", 1);
	c = bma_cache_create(&a);
	before = bma__engine_number() - 1;
	bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	cr_assert_eq(bma_cache_destroy(c), 0);
	for (int i = 0; i < 10 && bma__engine_number() != before; i++) {
		struct bma__flavor *f = bma__flavor_get(NULL);
		bool online;

		bma__orphan_reap(true);
		cr_assert_eq(bma__rcu_begin_wait(&f->rcu, &online), 0);
		bma__defer_wait(f);
		bma__rcu_end_wait(&f->rcu, online);
	}
	cr_assert_eq(bma__engine_number(), before);
	cr_assert_gt(n, 0);
}

/* Of memory that is not there any more nothing is asked. */
Test(orphan, a_place_is_empty_when_its_engine_is_gone)
{
	struct bma_heap *h = heap(BMA_HEAP_DESTROY_ALL);
	struct bma_cache *place;
	void *p = bma_heap_alloc(h, 64);

	place = bma__engine_handle_at(bma__chunk_tag(p));
	cr_assert_eq(bma_heap_of(p), h);
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	cr_assert_eq(bma_heap_destroy(h), 0);
	cr_assert_null(place->engine);
	cr_assert_null(bma_heap_of(p));
	cr_assert_eq(bma_heap_usable_size(p), 0);
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
}

/* Between the reclaim of one class and the end of the last one the worker carves nothing for it. */
Test(orphan, a_heap_that_goes_is_not_served)
{
	struct bma_heap *h = heap(BMA_HEAP_DESTROY_ALL);
	struct bma__engine *e = engine_of(h, 64);
	uint64_t live = 0;

	cr_assert_not_null(bma_heap_alloc(h, 64));
	cr_assert_eq(bma__reclaim_engine(e, &live), 0);
	cr_assert_eq(live, 1);
	bma__refill_service(e, true, e->drained);
	cr_assert_eq(bma__depot_depth(&e->depot[0]), 0);
	bma__reclaim_undo(e);
}

/* Nor do figures, which whoever walks asks for meanwhile, count objects that nobody has any more as at home. */
Test(orphan, a_heap_that_goes_can_be_looked_at, .timeout = 10)
{
	struct bma_heap *h = heap(BMA_HEAP_DESTROY_ALL);
	struct bma__engine *e = engine_of(h, 64);
	struct bma_ledger ledger;
	struct bma_cache_stats s;
	uint64_t live = 0;

	cr_assert_not_null(bma_heap_alloc(h, 64));
	cr_assert_eq(bma__reclaim_engine(e, &live), 0);
	bma__engine_abandon(e);
	cr_assert_eq(e->objs_carved, 0);
	cr_assert_eq(e->objs_home, 0);
	cr_assert_eq(e->empty_slabs, 0);
	bma__stats_of(e, &s);
	cr_assert_eq(s.live, 0);
	cr_assert_eq(bma_ledger_get(&ledger, sizeof ledger), 0);
}

/* The last reference is a reserve's. */
Test(orphan, a_reserve_keeps_it)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 72, .flags = BMA_CACHE_MERGE};
	struct bma_cache *c = bma_cache_create(&a);
	struct bma_reserve *r = bma_reserve_create(c, 5);
	uint64_t before = bma__engine_number();

	cr_assert_not_null(r);
	cr_assert_eq(bma_cache_destroy(c), 0);
	bma_trim();
	cr_assert_eq(bma__engine_number(), before);
	cr_assert_not_null(bma_reserve_alloc(r));
	bma_reserve_destroy(r);
	bma_trim();
	cr_assert_eq(bma__engine_number(), before, "an object of it is live");
}

Test(orphan, the_worker_gives_them_back)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = 72, .flags = BMA_CACHE_DESTROY_ASYNC};
	uint64_t before = bma__engine_number();
	struct bma_cache *c = bma_cache_create(&a);

	bma_cache_free_rcu(c, bma_cache_alloc(c));
	cr_assert_eq(bma_cache_destroy(c), 0);
	for (int i = 0; i < 20000 && bma__engine_number() != before; i++)
		bma__os_sleep(1000000);
	cr_assert_eq(bma__engine_number(), before);
}
