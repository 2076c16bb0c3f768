/* SPDX-License-Identifier: MIT */
/* Tenants at a limit, for the tests of what happens when a group runs out. */
#ifndef BMA_UNIT_OOM_H
#define BMA_UNIT_OOM_H

#include "group.h"

#include <bma/oom.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define KIB ((uint64_t)1024)
#define OBJ_MOST 4096

/* A group whose objects are charged one by one, and what it does when it is chosen. */
struct tenant {
	struct bma_group *group;
	struct bma_cache *cache;
	pthread_mutex_t mutex;
	void *objs[OBJ_MOST];
	size_t n;
	_Atomic int released;	/* times */
	_Atomic uint64_t asked; /* bytes, of the last one */
	bool stubborn;		/* frees nothing */
	size_t at_a_time;	/* objects, at most; 0: all */
	uint64_t (*instead)(struct tenant *t);
};

static inline struct bma_cache *cache_of(struct bma_group *group, size_t size)
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .name = "oom",
				   .size = size,
				   .flags = BMA_CACHE_MERGE,
				   .group = group};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static inline uint64_t tenant_release(uint64_t bytes, void *ctx)
{
	struct tenant *t = ctx;
	uint64_t gave = 0;

	atomic_store(&t->asked, bytes);
	atomic_fetch_add(&t->released, 1);
	cr_assert_not(bma__lock_mine(&bma__group_lock));
	if (t->instead)
		return t->instead(t);
	if (t->stubborn)
		return bytes; /* a lie */
	pthread_mutex_lock(&t->mutex);
	while (t->n && (!t->at_a_time || gave < t->at_a_time * KIB)) {
		bma_cache_free(t->cache, t->objs[--t->n]);
		gave += KIB;
	}
	pthread_mutex_unlock(&t->mutex);
	return gave;
}

static inline struct tenant *tenant(struct bma_group *parent, const char *name, int32_t score)
{
	struct tenant *t = calloc(1, sizeof *t);

	cr_assert_not_null(t);
	pthread_mutex_init(&t->mutex, NULL);
	t->group = make(parent, name);
	t->cache = cache_of(t->group, KIB);
	cr_assert_eq(bma_oom_set_release(t->group, tenant_release, t, score), 0);
	return t;
}

/* One object more, or NULL. */
static inline void *take(struct tenant *t)
{
	void *obj = bma_cache_alloc_flags(t->cache, BMA_SLEEP);

	pthread_mutex_lock(&t->mutex);
	if (obj)
		t->objs[t->n++] = obj;
	pthread_mutex_unlock(&t->mutex);
	return obj;
}

static inline void fill(struct tenant *t, size_t n)
{
	while (n--)
		cr_assert_not_null(take(t), "%zu more", n);
}

static inline struct bma_oom_stats oom_of(struct bma_group *g)
{
	struct bma_oom_stats s;

	cr_assert_eq(bma_oom_stat(g, &s, sizeof s), 0);
	return s;
}

static inline int attach(struct bma_group *g, const char *name,
			 enum bma_oom_answer (*decide)(struct bma_oom *oom, void *ctx), void *ctx)
{
	struct bma_oom_policy p = {
		.attr_size = sizeof p, .name = name, .decide = decide, .ctx = ctx};

	return bma_oom_policy_attach(g, &p);
}

static inline int event_fd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

static inline uint64_t told(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

#endif /* BMA_UNIT_OOM_H */
