/* SPDX-License-Identifier: MIT */
/* What the tests of deferred frees share: caches, their figures, and a thread inside a read section. */
#ifndef BMA_UNIT_READER_H
#define BMA_UNIT_READER_H

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu/flavor.h>

extern const struct rcu_flavor_struct urcu_memb_flavor;

static inline struct bma_cache_attr attr(size_t size)
{
	struct bma_cache_attr a;

	memset(&a, 0, sizeof a);
	a.attr_size = sizeof a;
	a.size = size;
	return a;
}

static inline struct bma_cache *make(const struct bma_cache_attr *a)
{
	struct bma_cache *c = bma_cache_create(a);

	cr_assert_not_null(c);
	return c;
}

static inline struct bma_cache *create(size_t size)
{
	struct bma_cache_attr a = attr(size);

	return make(&a);
}

static inline struct bma_cache_stats stats(struct bma_cache *c)
{
	struct bma_cache_stats s;

	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	return s;
}

/* Of the flavour of a cache. */
static inline struct bma_rcu_stats rcu_stats(struct bma_cache *c)
{
	struct bma_rcu_stats s;
	unsigned int nth = 0;

	do
		cr_assert_eq(bma_rcu_stats_get(nth++, &s, sizeof s), 0);
	while (strcmp(s.name, stats(c).rcu));
	return s;
}

static inline void nap(void)
{
	struct timespec ts = {0, 200000};

	nanosleep(&ts, NULL);
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* For ever, or until the test's timeout. */
#define AWAIT(condition)                                                                           \
	do {                                                                                       \
		while (!(condition))                                                               \
			nap();                                                                     \
	} while (0)

struct reader {
	const struct rcu_flavor_struct *rcu;
	pthread_t thread;
	_Atomic int inside, leave;
};

static inline void *reader_main(void *arg)
{
	struct reader *r = arg;

	r->rcu->register_thread();
	r->rcu->read_lock();
	r->inside = 1;
	AWAIT(r->leave);
	r->rcu->read_unlock();
	r->rcu->unregister_thread();
	return NULL;
}

/* Another thread, and it is inside when this returns. A registered thread of QSBR is, by being online. */
static inline void reader_enter(struct reader *r, const struct rcu_flavor_struct *rcu)
{
	r->rcu = rcu;
	r->inside = r->leave = 0;
	cr_assert_eq(pthread_create(&r->thread, NULL, reader_main, r), 0);
	AWAIT(r->inside);
}

static inline void reader_leave(struct reader *r)
{
	r->leave = 1;
	pthread_join(r->thread, NULL);
}

/* Objects that are to be freed are told by what they hold, since a free must not change it. */
#define TAG ((uint64_t)0x5ca1ab1e0ddba115)
#define TAKEN_MAX 65536u

static inline void take_tagged(struct bma_cache *c, void **objs, unsigned int n)
{
	cr_assert_eq(bma_cache_alloc_bulk(c, objs, n, BMA_SLEEP), n);
	for (unsigned int i = 0; i < n; i++)
		*(uint64_t *)objs[i] = TAG;
}

static inline void free_rcu_all(struct bma_cache *c, void **objs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		bma_cache_free_rcu(c, objs[i]);
}

/* Take @n objects and give them back: how many were tagged? They are not any more. */
static inline unsigned int tagged_among(struct bma_cache *c, unsigned int n)
{
	static void *taken[TAKEN_MAX];
	unsigned int tagged = 0;

	cr_assert_leq(n, TAKEN_MAX);
	cr_assert_eq(bma_cache_alloc_bulk(c, taken, n, BMA_SLEEP), n);
	for (unsigned int i = 0; i < n; i++) {
		tagged += *(uint64_t *)taken[i] == TAG;
		*(uint64_t *)taken[i] = 0;
	}
	bma_cache_free_bulk(c, taken, n);
	return tagged;
}

#endif /* BMA_UNIT_READER_H */
