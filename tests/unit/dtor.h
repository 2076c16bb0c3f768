/* SPDX-License-Identifier: MIT */
/* A destructor that takes down what it was called for. It runs on threads that cannot assert, so it counts. */
#ifndef BMA_UNIT_DTOR_H
#define BMA_UNIT_DTOR_H

#include "reader.h"

#include <unistd.h>

#define CALLS_MAX 65536u

static struct {
	_Atomic unsigned int constructed, calls, wrong_ctx, nested, elsewhere, late;
	_Atomic int inside, over;
	_Atomic pid_t thread;	 /* of the first call */
	unsigned int naps;	 /* in each */
	void (*also)(void *obj); /* in each, or NULL */
	void *objs[CALLS_MAX];
} dtor;

static inline void construct(void *obj, void *ctx)
{
	dtor.constructed++;
	dtor.wrong_ctx += ctx != &dtor;
	memset(obj, 42, 64);
}

static inline void destruct(void *obj, void *ctx)
{
	pid_t nobody = 0, me = gettid();

	dtor.nested += dtor.inside++ != 0;
	if (!atomic_compare_exchange_strong(&dtor.thread, &nobody, me))
		dtor.elsewhere += nobody != me;
	dtor.wrong_ctx += ctx != &dtor;
	dtor.late += dtor.over;
	dtor.objs[dtor.calls % CALLS_MAX] = obj;
	for (unsigned int i = 0; i < dtor.naps; i++)
		nap();
	if (dtor.also)
		dtor.also(obj);
	dtor.calls++;
	dtor.inside--;
}

static inline struct bma_cache_attr attr_destructed(uint64_t flags)
{
	struct bma_cache_attr a = attr(64);

	a.dtor = destruct;
	a.ctx = &dtor;
	a.flags = flags;
	return a;
}

static inline int by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

/* So many calls, for as many objects. */
static inline void assert_once_each(unsigned int n)
{
	static void *sorted[CALLS_MAX];

	cr_assert_eq(dtor.calls, n, "%u calls for %u objects", dtor.calls, n);
	memcpy(sorted, dtor.objs, n * sizeof sorted[0]);
	qsort(sorted, n, sizeof sorted[0], by_address);
	for (unsigned int i = 1; i < n; i++)
		cr_assert_neq(sorted[i], sorted[i - 1], "twice for one");
	cr_assert_eq(dtor.wrong_ctx, 0);
	cr_assert_eq(dtor.nested, 0, "two at a time");
}

#endif /* BMA_UNIT_DTOR_H */
