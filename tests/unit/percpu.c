/* SPDX-License-Identifier: MIT */
/* Per-CPU objects, as users have them. Built twice: inlined and exported. */
#include <bma/bma.h>

#include "test.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

static struct bma_heap *heap(void)
{
	struct bma_heap_attr a = {.attr_size = sizeof a,
				  .flags = BMA_HEAP_PERCPU | BMA_HEAP_PRIVATE};
	struct bma_heap *h = bma_heap_create(&a);

	cr_assert_not_null(h);
	return h;
}

/* Is there a page of ours at @at? */
static bool resident(const void *at)
{
	uint64_t entry = 0;
	FILE *f = fopen("/proc/self/pagemap", "rb");

	cr_assert_not_null(f);
	fseek(f, (long)((uintptr_t)at / 4096 * 8), SEEK_SET);
	cr_assert_eq(fread(&entry, 8, 1, f), 1);
	fclose(f);
	/* The zero page is not exclusively ours (bit 56). */
	return entry >> 63 && entry >> 56 & 1;
}

static bool zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i])
			return false;
	}
	return true;
}

Test(percpu, every_copy_is_zero_whatever_was_before)
{
	static const size_t sizes[] = {1, 7, 8, 13, 64, 100, 4096, BMA_PERCPU_SIZE_MAX};
	struct bma_heap *h = heap();

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (int round = 0; round < 300; round++) {
			unsigned char *p = bma_heap_alloc_flags(h, sizes[i], BMA_SLEEP), *copy;

			cr_assert_not_null(p);
			bma_percpu_for_each(copy, p)
			{
				cr_assert(zero(copy, sizes[i]), "%zu", sizes[i]);
				memset(copy, 0xff, sizes[i]);
			}
			if (round % 3)
				bma_heap_free(h, p);
			else
				bma_heap_free_rcu(h, p);
		}
	}
	cr_assert_null(bma_heap_alloc_flags(h, BMA_PERCPU_SIZE_MAX + 1, BMA_SLEEP));
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(percpu, copies_of_different_objects_stand_apart)
{
	enum { N = 3000 };
	struct bma_heap *h = heap();
	static uint32_t *p[N];
	uint32_t *copy;

	for (uint32_t i = 0; i < N; i++) {
		uint32_t n = 0;

		p[i] = bma_heap_alloc_flags(h, 8, BMA_SLEEP);
		cr_assert_not_null(p[i]);
		bma_percpu_for_each(copy, p[i]) *copy = i * 1000 + n++;
		cr_assert_eq(n, bma_percpu_copies());
	}
	for (uint32_t i = 0; i < N; i++) {
		for (uint32_t n = 0; n < bma_percpu_copies(); n++)
			cr_assert_eq(*bma_per_cpu_ptr(p[i], n), i * 1000 + n);
		bma_heap_free(h, p[i]);
	}
	cr_assert_eq(bma_heap_destroy(h), 0);
}

static uint64_t *word;
static volatile sig_atomic_t handled;

static void add_in_handler(int sig)
{
	(void)sig;
	bma_this_cpu_add(word, 1000000);
	handled++;
}

static void *adder(void *arg)
{
	test_pin((unsigned int)(uintptr_t)arg);
	for (int i = 0; i < 300000; i++) {
		bma_this_cpu_add(word, 1);
		if (i % 1000 == 0)
			raise(SIGUSR1);
	}
	return NULL;
}

Test(percpu, no_addition_is_lost)
{
	struct sigaction sa = {.sa_handler = add_in_handler};
	struct bma_heap *h = heap();
	pthread_t threads[4];
	uint64_t each = 0, *copy;

	sigaction(SIGUSR1, &sa, NULL);
	word = bma_heap_alloc_flags(h, 8, BMA_SLEEP);
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, adder, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(bma_percpu_sum_u64(word), 4 * (300000 + 300 * 1000000ull));
	bma_percpu_for_each(copy, word) each += *copy;
	cr_assert_eq(each, bma_percpu_sum_u64(word));
	bma_heap_free(h, word);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(percpu, this_cpu_is_one_of_them)
{
	struct bma_heap *h = heap();
	uint64_t *p = bma_heap_alloc_flags(h, 8, BMA_SLEEP);

	*bma_this_cpu_ptr(p) = 5;
	cr_assert_eq(bma_percpu_sum_u64(p), 5);
	bma_heap_free(h, p);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(percpu, a_copy_that_does_not_exist_aborts, .signal = SIGABRT)
{
	uint64_t *p = bma_heap_alloc_flags(heap(), 8, BMA_SLEEP);

	*bma_per_cpu_ptr(p, bma_percpu_copies()) = 1;
}

/* Copies that nobody wrote to take no memory, though the object was allocated, freed, and allocated again. */
Test(percpu, memory_is_used_for_who_writes)
{
	enum { SIZE = BMA_PERCPU_SIZE_MAX, PAGES = SIZE / 4096 };
	struct bma_heap *h = heap();

	for (int round = 0; round < 3; round++) {
		char *p = bma_heap_alloc_flags(h, SIZE, BMA_SLEEP);

		memset(bma_per_cpu_ptr(p, 0), 1, SIZE);
		for (uint64_t i = 1; i < bma_percpu_copies(); i++) {
			for (int n = 0; n < PAGES; n++)
				cr_assert(!resident((char *)bma_per_cpu_ptr(p, i) + n * 4096),
					  "copy %zu", (size_t)i);
		}
		bma_heap_free(h, p);
	}
	cr_assert_eq(bma_heap_destroy(h), 0);
}

static void build(void *obj, void *ctx)
{
	(void)obj, (void)ctx;
}

Test(percpu, bad_attributes_are_refused)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .flags = BMA_CACHE_PERCPU};

	a.size = BMA_PERCPU_SIZE_MAX + 1;
	cr_assert_null(bma_cache_create(&a));
	a.size = 8;
	a.flags |= BMA_CACHE_POISON;
	cr_assert_null(bma_cache_create(&a));
	a.flags = BMA_CACHE_PERCPU | BMA_CACHE_SAMPLE;
	cr_assert_null(bma_cache_create(&a));
	a.flags = BMA_CACHE_SAMPLE;
	a.dtor = build;
	cr_assert_null(bma_cache_create(&a));
	a.dtor = NULL;
	a.flags = BMA_CACHE_PERCPU | BMA_CACHE_KEY;
	cr_assert_null(bma_cache_create(&a));
	a.flags = BMA_CACHE_PERCPU;
	a.ctor = build;
	cr_assert_null(bma_cache_create(&a));
	a.ctor = NULL;
	a.dtor = build;
	cr_assert_null(bma_cache_create(&a));
	a.dtor = NULL;
	a.align = 8192;
	cr_assert_null(bma_cache_create(&a));
	cr_assert_eq(errno, EINVAL);
}

Test(percpu, a_cache_of_them_with_checks)
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .size = 29,
				   .flags = BMA_CACHE_PERCPU | BMA_CACHE_DEBUG | BMA_CACHE_TRACK |
					    BMA_CACHE_QUARANTINE};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	for (int i = 0; i < 2000; i++) {
		unsigned char *p = bma_cache_alloc_flags(c, BMA_SLEEP);

		cr_assert(zero(bma_this_cpu_ptr(p), 29));
		memset(bma_this_cpu_ptr(p), 1, 29);
		bma_cache_free(c, p);
	}
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(percpu, the_memory_comes_back)
{
	struct bma_stats before, after;
	struct bma_heap *h = heap();
	static void *p[5000];

	bma_trim();
	bma_stats_get(&before, sizeof before);
	for (int i = 0; i < 5000; i++) {
		p[i] = bma_heap_alloc_flags(h, 1000, BMA_SLEEP);
		memset(bma_per_cpu_ptr(p[i], 1), 1, 1000);
	}
	cr_assert(resident(bma_per_cpu_ptr(p[0], 1)));
	bma_heap_free_bulk(h, p, 5000);
	bma_trim();
	bma_stats_get(&after, sizeof after);
	cr_assert_leq(after.slab_bytes, before.slab_bytes);
	for (int i = 0; i < 5000; i++)
		cr_assert(!resident(bma_per_cpu_ptr(p[i], 1)), "%d", i);
	cr_assert_eq(bma_heap_destroy(h), 0);
}
