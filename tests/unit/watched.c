/* SPDX-License-Identifier: MIT */
/*
 * What sanitizers are told, by functions of theirs that are ours here: a log, from which each byte's state can be
 * read. tests/tools asks the tools themselves; here it is known of every byte.
 */
#include <bma/bma.h>

#include "base/tools.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#define TOLD_MOST 200000u
#define SIZE 64

enum what { SHUT, OPEN, ROOT, NO_ROOT, FRESH };

static struct {
	const volatile char *at;
	size_t n;
	enum what what;
} told[TOLD_MOST];
static unsigned int n_told;

static void tell(const volatile void *p, size_t n, enum what what)
{
	if (n_told == TOLD_MOST)
		abort();
	told[n_told].at = p;
	told[n_told].n = n;
	told[n_told++].what = what;
}

void __asan_poison_memory_region(const volatile void *p, size_t n);
void __asan_unpoison_memory_region(const volatile void *p, size_t n);
void __lsan_register_root_region(const void *p, size_t n);
void __lsan_unregister_root_region(const void *p, size_t n);
void __msan_allocated_memory(const volatile void *p, size_t n);

void __asan_poison_memory_region(const volatile void *p, size_t n)
{
	tell(p, n, SHUT);
}

void __asan_unpoison_memory_region(const volatile void *p, size_t n)
{
	tell(p, n, OPEN);
}

void __lsan_register_root_region(const void *p, size_t n)
{
	tell(p, n, ROOT);
}

void __lsan_unregister_root_region(const void *p, size_t n)
{
	tell(p, n, NO_ROOT);
}

void __msan_allocated_memory(const volatile void *p, size_t n)
{
	tell(p, n, FRESH);
}

/* May @p be touched? What was said of it last; nothing: it may. */
static bool is_open(const char *p)
{
	for (unsigned int i = n_told; i-- > 0;) {
		if (told[i].what <= OPEN && p >= told[i].at && p < told[i].at + told[i].n)
			return told[i].what == OPEN;
	}
	return true;
}

static size_t count(enum what what)
{
	size_t n = 0;

	for (unsigned int i = 0; i < n_told; i++)
		n += told[i].what == what;
	return n;
}

/* How often was @p's contents said to be nobody's writing? */
static size_t fresh(const char *p)
{
	size_t n = 0;

	for (unsigned int i = 0; i < n_told; i++)
		n += told[i].what == FRESH && told[i].at == p && told[i].n == SIZE;
	return n;
}

static struct bma_cache *create(const char *conf, void (*ctor)(void *obj, void *ctx))
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = SIZE, .ctor = ctor};
	struct bma_cache *cache;

	setenv("BMA_CONF", conf, 1);
	cache = bma_cache_create(&a);
	cr_assert_not_null(cache);
	return cache;
}

static char *take(struct bma_cache *cache)
{
	char *obj = bma_cache_alloc_flags(cache, BMA_SLEEP);

	cr_assert_not_null(obj);
	return obj;
}

Test(watched, an_object_is_open_while_somebody_has_it)
{
	struct bma_cache *cache = create("worker:off", NULL);
	char *obj = take(cache);

	for (int i = 0; i < SIZE; i++)
		cr_assert(is_open(obj + i), "byte %d", i);
	cr_assert_not(is_open(obj + SIZE), "the next one is nobody's");
	bma_cache_free(cache, obj);
	for (int i = 0; i < SIZE; i++)
		cr_assert_not(is_open(obj + i), "byte %d", i);
}

Test(watched, a_deferred_one_until_its_grace_period)
{
	struct bma_cache *cache = create("worker:off", NULL);
	char *obj = take(cache);

	bma_cache_free_rcu(cache, obj);
	cr_assert(is_open(obj) && is_open(obj + SIZE - 1), "readers may look");
	cr_assert_eq(bma_rcu_barrier(cache), 0);
	cr_assert_not(is_open(obj) || is_open(obj + SIZE - 1));
}

Test(watched, what_is_given_back_is_open_and_no_root)
{
	struct bma_cache *cache = create("worker:off", NULL);
	char *obj = take(cache);

	cr_assert_gt(count(ROOT), 0);
	bma_cache_free(cache, obj);
	cr_assert_eq(bma_cache_destroy(cache), 0);
	cr_assert_eq(bma_trim(), 0);
	cr_assert(is_open(obj) && is_open(obj + SIZE));
	cr_assert_eq(count(ROOT), count(NO_ROOT));
}

Test(watched, contents_are_nobodys_each_time)
{
	struct bma_cache *cache = create("worker:off", NULL);
	char *obj = take(cache);
	size_t freed = 1;

	cr_assert_eq(fresh(obj), 1);
	for (; fresh(obj) == 1 && freed < 10000; freed++) {
		bma_cache_free(cache, obj);
		/* Not at once: tools have a quarantine. */
		for (char *other = take(cache); other != obj; other = take(cache)) {
			bma_cache_free(cache, other);
			cr_assert_lt(++freed, 10000);
		}
	}
	cr_assert_eq(fresh(obj), 2);
}

static void construct(void *obj, void *ctx)
{
	(void)ctx;
	if (!is_open(obj) || !is_open((char *)obj + SIZE - 1))
		abort();
	*(char *)obj = 7;
}

Test(watched, a_constructor_may_write_and_what_it_wrote_counts)
{
	struct bma_cache *cache = create("worker:off", construct);
	char *obj = take(cache);

	cr_assert_eq(*obj, 7);
	cr_assert_eq(count(FRESH), 0);
	cr_assert_not(is_open(obj + SIZE));
}

Test(watched, nobody_is_told_where_tools_are_off)
{
	struct bma_cache *cache = create("worker:off,tools:off", NULL);

	bma_cache_free(cache, take(cache));
	cr_assert_eq(bma_cache_destroy(cache), 0);
	cr_assert_eq(n_told, 0);
}

/* Its requests do nothing where it does not run; what it is told must not take the place of the rest. */
Test(watched, beside_valgrind)
{
	struct bma_cache *cache = create("worker:off", NULL);
	char *obj;

	bma__tools.valgrind = true;
	obj = take(cache);
	cr_assert(is_open(obj));
	bma_cache_free(cache, obj);
	cr_assert_not(is_open(obj));
	obj = take(cache);
	cr_assert_eq(bma_cache_destroy(cache), -EBUSY);
	bma_cache_free(cache, obj);
	cr_assert_eq(bma_cache_destroy(cache), 0);
	cache = create("worker:off", construct);
	cr_assert_eq(*take(cache), 7);
}
