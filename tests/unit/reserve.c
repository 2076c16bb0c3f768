/* SPDX-License-Identifier: MIT */
/* Reserves: n objects for n takers, whoever they are. */
#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

static struct bma_cache *create(void)
{
	struct bma_cache_attr a;

	memset(&a, 0, sizeof a);
	a.attr_size = sizeof a;
	a.size = 48;
	return bma_cache_create(&a);
}

Test(reserve, gives_exactly_n)
{
	struct bma_cache *c = create();
	struct bma_reserve *r = bma_reserve_create(c, 100);
	void *p[100];

	cr_assert_eq(bma_reserve_count(r), 100);
	for (int i = 0; i < 100000 && bma_cache_alloc(c); i++)
		; /* whatever happens to the cache meanwhile */
	for (int i = 0; i < 100; i++) {
		p[i] = bma_reserve_alloc(r);
		cr_assert_not_null(p[i]);
		memset(p[i], i, 48);
	}
	cr_assert_null(bma_reserve_alloc(r));
	for (int i = 0; i < 100; i++)
		cr_assert_eq(*(char *)p[i], (char)i);
	cr_assert_eq(bma_reserve_refill(r), 0);
	cr_assert_eq(bma_reserve_count(r), 100);
}

Test(reserve, bad_counts_are_refused)
{
	struct bma_cache *c = create();

	errno = 0;
	cr_assert_null(bma_reserve_create(c, 0));
	cr_assert_eq(errno, EINVAL);
	errno = 0;
	cr_assert_null(bma_reserve_create(c, SIZE_MAX));
	cr_assert_eq(errno, EINVAL);
	bma_reserve_destroy(NULL);
}

Test(reserve, holds_its_cache)
{
	struct bma_cache *c = create();
	struct bma_reserve *r = bma_reserve_create(c, 10);

	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
	bma_reserve_destroy(r);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

enum { TAKERS = 4, EACH = 5000 };
static struct bma_reserve *shared;
static void *got[TAKERS][EACH];

static void *taker(void *arg)
{
	for (int i = 0; i < EACH; i++)
		((void **)arg)[i] = bma_reserve_alloc(shared);
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return (x > y) - (x < y);
}

Test(reserve, concurrent_takers_get_one_each)
{
	struct bma_cache *c = create();
	pthread_t t[TAKERS];
	void **all = &got[0][0];

	shared = bma_reserve_create(c, TAKERS * EACH);
	for (int i = 0; i < TAKERS; i++)
		pthread_create(&t[i], NULL, taker, got[i]);
	for (int i = 0; i < TAKERS; i++)
		pthread_join(t[i], NULL);
	qsort(all, TAKERS * EACH, sizeof *all, by_address);
	for (int i = 0; i < TAKERS * EACH; i++) {
		cr_assert_not_null(all[i]);
		cr_assert(!i || all[i] != all[i - 1]);
	}
	for (int i = 0; i < TAKERS * EACH; i++)
		bma_cache_free(c, all[i]);
	bma_reserve_destroy(shared);
	cr_assert_eq(bma_cache_destroy(c), 0);
}
