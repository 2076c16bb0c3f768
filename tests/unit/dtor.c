/* SPDX-License-Identifier: MIT */
/* Destructors that run when the memory of objects leaves their cache. */
#include "dtor.h"

#include <errno.h>
#include <stdio.h>

#define MEMB urcu_memb_flavor

static struct bma_cache *create_destructed(const char *conf)
{
	struct bma_cache_attr a = attr_destructed(0);

	setenv("BMA_CONF", conf, 1);
	return make(&a);
}

static void use(struct bma_cache *c)
{
	enum { N = 3000 };
	static void *p[N];

	take_tagged(c, p, N);
	bma_cache_free_bulk(c, p, N / 2);
	free_rcu_all(c, p + N / 2, N / 2);
	cr_assert_eq(bma_rcu_barrier(c), 0);
}

/* Not while objects are cached; then once each. */
Test(dtor, once_an_object_in_a_trim)
{
	struct bma_cache *c = create_destructed("worker:off");
	unsigned int carved;

	use(c);
	cr_assert_geq(bma_poll(BMA_POLL_GP), 0);
	cr_assert_eq(dtor.calls, 0, "they are cached");
	carved = (unsigned int)stats(c).carved;
	cr_assert_geq(carved, 3000);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(stats(c).carved, 0);
	assert_once_each(carved);
	use(c);
	cr_assert_eq(dtor.calls, carved);
}

Test(dtor, once_an_object_in_a_destroy)
{
	struct bma_cache *c = create_destructed("worker:off");
	unsigned int carved;

	use(c);
	carved = (unsigned int)stats(c).carved;
	cr_assert_eq(bma_cache_destroy(c), 0);
	assert_once_each(carved);
	cr_assert_eq(dtor.elsewhere, 0);
	cr_assert_eq(dtor.thread, gettid(), "there is no other");
}

/* A drained depot gives slabs up, too. By polls, and nobody else looks at objects that are in use. */
Test(dtor, not_for_objects_that_are_in_use)
{
	struct bma_cache *c = create_destructed("worker:off");
	void *p[100];

	use(c);
	take_tagged(c, p, 100);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_gt(dtor.calls, 0);
	for (unsigned int i = 0; i < dtor.calls; i++) {
		for (int k = 0; k < 100; k++)
			cr_assert_neq(dtor.objs[i], p[k]);
	}
	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
	bma_cache_free_bulk(c, p, 100);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

/* Objects whose slab was given up: readers may still look at them. */
Test(dtor, after_a_grace_period, .timeout = 20)
{
	struct bma_cache_attr a = attr_destructed(0);
	struct bma_cache *c;
	struct bma_stats s;
	unsigned int carved;
	uint64_t *p;

	a.reserve = 1; /* one magazine in stock is enough, and no more than one is made */
	c = make(&a);
	take_tagged(c, (void **)&p, 1);
	bma_cache_free(c, p);
	/* The worker has done what it may have been asked for. */
	for (int i = 0; i < 500 && !stats(c).depot; i++)
		nap();
	carved = (unsigned int)stats(c).carved;
	MEMB.register_thread();
	MEMB.read_lock();
	cr_assert_eq(bma_trim(), -EDEADLK);
	carved -= (unsigned int)stats(c).carved;
	cr_assert_gt(carved, 0);
	AWAIT(rcu_stats(c).running_ns);
	for (int i = 0; i < 20; i++)
		nap();
	bma_stats_get(&s, sizeof s);
	cr_assert_gt(s.purge_bytes, 0);
	cr_assert_eq(dtor.calls, 0, "under a reader");
	cr_assert_eq(*p, TAG);
	MEMB.read_unlock();
	AWAIT(dtor.calls >= carved);
	assert_once_each(carved);
	MEMB.unregister_thread();
}

static _Atomic unsigned int zeroed, tagged, made;

static void look(void *obj)
{
	static const char zero[64];
	char constructed[64];

	memset(constructed, 42, 64);
	zeroed += !memcmp(obj, zero, 64);
	made += !memcmp(obj, constructed, 64);
	tagged += *(uint64_t *)obj == TAG;
}

/* Objects that nobody was ever given. */
static void only_ten_are_used(bool ctor)
{
	struct bma_cache_attr a = attr_destructed(0);
	struct bma_cache *c;
	unsigned int carved;
	void *p[10];

	setenv("BMA_CONF", "worker:off", 1);
	dtor.also = look;
	a.ctor = ctor ? construct : NULL;
	a.reserve = 2000;
	c = make(&a);
	take_tagged(c, p, 10);
	bma_cache_free_bulk(c, p, 10);
	carved = (unsigned int)stats(c).carved;
	cr_assert_geq(carved, 2000);
	cr_assert_eq(bma_cache_destroy(c), 0);
	assert_once_each(carved);
	cr_assert_eq(tagged, 10);
	cr_assert_eq(ctor ? made : zeroed, carved - 10);
}

Test(dtor, unused_objects_are_zeroed)
{
	only_ten_are_used(false);
}

Test(dtor, unused_objects_are_as_constructed)
{
	only_ten_are_used(true);
	cr_assert_eq(dtor.constructed, dtor.calls);
}

/* On the worker, and until destroy returns only. */
Test(dtor, the_worker_is_waited_for, .timeout = 30)
{
	struct bma_cache_attr a = attr_destructed(0);
	struct bma_cache *c;

	a.size = 64;
	a.batch = 6;
	a.ctor = construct;
	dtor.naps = 1;
	c = make(&a);
	bma_cache_free(c, bma_cache_alloc(c));
	cr_assert_eq(bma_cache_destroy(c), 0);
	dtor.over = 1;
	cr_assert_gt(dtor.calls, 0);
	assert_once_each(dtor.constructed);
	cr_assert_eq(dtor.elsewhere, 0, "all on one thread");
	cr_assert_neq(dtor.thread, gettid(), "and that is the worker");
	for (int i = 0; i < 100; i++)
		nap();
	cr_assert_eq(dtor.late, 0);
	cr_assert_eq(dtor.inside, 0);
}

Test(dtor, a_destroy_in_a_section_changes_nothing, .timeout = 20)
{
	struct bma_cache *c = create_destructed("worker:off");
	struct bma_cache_stats before, after;

	use(c);
	MEMB.register_thread();
	before = stats(c);
	cr_assert_eq(before.limbo, 0);
	MEMB.read_lock();
	cr_assert_eq(bma_cache_destroy(c), -EDEADLK, "the destructor has to wait for readers");
	after = stats(c);
	cr_assert_eq(after.cached, before.cached);
	cr_assert_eq(after.carved, before.carved);
	cr_assert_eq(after.drains, before.drains);
	MEMB.read_unlock();
	cr_assert_eq(dtor.calls, 0);
	use(c);
	cr_assert_eq(bma_cache_destroy(c), 0);
	assert_once_each((unsigned int)before.carved);
	MEMB.unregister_thread();
}

static long resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	cr_assert_eq(fscanf(f, "%*s %ld", &pages), 1);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

/* Eight MiB of stock are pointers until somebody takes them; and zeros then. */
Test(dtor, fresh_objects_are_not_touched)
{
	struct bma_cache_attr a = attr_destructed(0);
	unsigned char *p;
	long before;

	a.size = 4096;
	a.reserve = 2048;
	make(&a);
	before = resident_kib();
	p = bma_cache_alloc(make(&a));
	cr_assert_lt(resident_kib() - before, 2048);
	for (int i = 0; i < 4096; i++)
		cr_assert_eq(p[i], 0);
}
