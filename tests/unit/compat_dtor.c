/* SPDX-License-Identifier: MIT */
/* The kernel's names: destructors and their context, and per-CPU objects. */
#include <bma/compat/bpf_mem_alloc.h>

#include <bma/stats.h>
#include <bma/worker.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct {
	_Atomic unsigned int calls, tagged, freed, late, wrong;
} seen;

static void destruct(void *obj, void *ctx)
{
	seen.wrong += ctx != &seen;
	seen.late += seen.freed;
	seen.tagged += *(uint64_t *)obj == 42;
	seen.calls++;
}

static void ctx_free(void *ctx)
{
	seen.wrong += ctx != &seen;
	seen.freed++;
}

static void trim_until_freed(void)
{
	for (int i = 0; i < 100 && !seen.freed; i++)
		bma_trim();
}

static struct bma_cache_stats stats(struct bma_cache *c)
{
	struct bma_cache_stats s;

	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	return s;
}

Test(compat_dtor, once_an_object_and_the_context_last)
{
	struct bpf_mem_alloc ma;
	uint64_t *p[3], carved;

	cr_assert_eq(bpf_mem_alloc_init(&ma, 48, false), 0);
	bpf_mem_alloc_set_dtor(&ma, destruct, ctx_free, &seen);
	for (int i = 0; i < 3; i++) {
		p[i] = bpf_mem_cache_alloc(&ma);
		*p[i] = 42;
	}
	bpf_mem_cache_free(&ma, p[0]);
	cr_assert_eq(bpf_mem_cache_alloc(&ma), p[0]);
	cr_assert_eq(seen.calls, 0, "not when one is recycled");
	bpf_mem_cache_free(&ma, p[0]);
	bpf_mem_cache_free_rcu(&ma, p[1]);
	bpf_mem_cache_raw_free(p[2]);
	carved = stats(ma.cache).carved;
	bpf_mem_alloc_destroy(&ma);
	trim_until_freed();
	cr_assert_eq(seen.calls, carved);
	cr_assert_eq(seen.tagged, 3);
	cr_assert_eq(seen.freed, 1);
	cr_assert_eq(seen.late, 0);
	cr_assert_eq(seen.wrong, 0);
}

/* Eleven caches, one context: for all of them, after an object of one of them is home. */
Test(compat_dtor, of_any_size)
{
	struct bpf_mem_alloc ma;
	uint64_t *p, *q;

	cr_assert_eq(bpf_mem_alloc_init(&ma, 0, false), 0);
	bpf_mem_alloc_set_dtor(&ma, destruct, ctx_free, &seen);
	p = bpf_mem_alloc(&ma, 16);
	q = bpf_mem_alloc(&ma, 4088);
	*p = *q = 42;
	bpf_mem_free(&ma, p);
	bpf_mem_alloc_destroy(&ma);
	for (int i = 0; i < 10; i++)
		bma_trim();
	cr_assert_eq(seen.tagged, 1);
	cr_assert_eq(seen.freed, 0);
	bpf_mem_free(&ma, q);
	trim_until_freed();
	cr_assert_eq(seen.tagged, 2);
	cr_assert_eq(seen.freed, 1);
	cr_assert_eq(seen.late, 0);
	cr_assert_eq(seen.wrong, 0);
}

Test(compat_dtor, of_nothing)
{
	struct bpf_mem_alloc ma = {0};

	bpf_mem_alloc_set_dtor(&ma, destruct, NULL, &seen);
	cr_assert_eq(seen.freed, 0);
	bpf_mem_alloc_set_dtor(&ma, destruct, ctx_free, &seen);
	cr_assert_eq(seen.freed, 1);
	bpf_mem_alloc_destroy(&ma);
	cr_assert_eq(seen.freed, 1);
}

static uint64_t *copies_of(void *obj)
{
	return *(uint64_t __percpu **)obj;
}

static void assert_zeros(void *obj)
{
	for (unsigned int cpu = 0; cpu < num_possible_cpus(); cpu++) {
		cr_assert_eq(per_cpu_ptr(copies_of(obj), cpu)[0], 0);
		cr_assert_eq(per_cpu_ptr(copies_of(obj), cpu)[4], 0);
	}
}

Test(compat_percpu, a_word_that_holds_the_copies)
{
	struct bpf_mem_alloc ma;
	void *p, *q;
	uint64_t *c;

	cr_assert_eq(bpf_mem_alloc_init(&ma, 40, true), 0);
	p = bpf_mem_cache_alloc(&ma);
	q = bpf_mem_cache_alloc(&ma);
	cr_assert_neq(copies_of(p), copies_of(q));
	assert_zeros(p);
	c = copies_of(p);
	for (unsigned int cpu = 0; cpu < num_possible_cpus(); cpu++)
		memset(per_cpu_ptr(c, cpu), 0x11, 40);
	*this_cpu_ptr(c) = 99;
	cr_assert_eq(bma_percpu_sum_u64(c + 1),
		     0x1111111111111111u * (uint64_t)num_possible_cpus());
	assert_zeros(q);
	/* The word keeps its copies, and they what was written. */
	bpf_mem_cache_free(&ma, p);
	cr_assert_eq(bpf_mem_cache_alloc(&ma), p);
	cr_assert_eq(copies_of(p), c);
	cr_assert_neq(*per_cpu_ptr(c, 0), 0);
	bpf_mem_cache_free(&ma, p);
	cr_assert_eq(bpf_mem_cache_alloc_flags(&ma, GFP_NOWAIT | __GFP_ZERO), p);
	cr_assert_eq(copies_of(p), c);
	assert_zeros(p);
	bpf_mem_cache_free_rcu(&ma, p);
	bpf_mem_cache_free(&ma, q);
	bpf_mem_alloc_destroy(&ma);
}

/* More than are in stock; every word is filled, with copies of its own. */
Test(compat_percpu, may_sleep)
{
	enum { N = 10000 };
	struct bpf_mem_alloc ma;
	static void *p[N];

	cr_assert_eq(bpf_mem_alloc_init(&ma, 8, true), 0);
	for (uint64_t i = 0; i < N; i++) {
		p[i] = bpf_mem_cache_alloc_flags(&ma, GFP_KERNEL);
		cr_assert_not_null(p[i]);
		*per_cpu_ptr(copies_of(p[i]), i % num_possible_cpus()) = i + 1;
	}
	for (uint64_t i = 0; i < N; i++) {
		cr_assert_eq(bma_percpu_sum_u64(copies_of(p[i])), i + 1);
		bpf_mem_cache_free(&ma, p[i]);
	}
	bpf_mem_alloc_destroy(&ma);
}

static struct bma_cache *copies_cache;

static void look(void *obj, void *ctx)
{
	(void)ctx;
	seen.tagged += copies_of(obj) && *copies_of(obj) == 42;
	seen.calls++;
}

/* The destructor still finds the copies, which then go back. */
Test(compat_percpu, destructor)
{
	struct bma_cache_attr same = {
		.attr_size = sizeof same, .size = 24, .flags = BMA_CACHE_PERCPU | BMA_CACHE_MERGE};
	struct bpf_mem_alloc ma;
	void *p;

	copies_cache = bma_cache_create(&same);
	cr_assert_eq(stats(copies_cache).live, 0);
	cr_assert_eq(bpf_mem_alloc_init(&ma, 24, true), 0);
	bpf_mem_alloc_set_dtor(&ma, look, ctx_free, &seen);
	p = bpf_mem_cache_alloc(&ma);
	*copies_of(p) = 42;
	cr_assert_gt(stats(copies_cache).live, 0);
	bpf_mem_cache_free(&ma, p);
	bpf_mem_alloc_destroy(&ma);
	trim_until_freed();
	cr_assert_eq(seen.freed, 1);
	cr_assert_eq(seen.tagged, 1);
	cr_assert_eq(stats(copies_cache).live, 0);
	cr_assert_eq(bma_cache_destroy(copies_cache), 0);
}

Test(compat_percpu, classes_when_they_are_asked_for)
{
	struct bpf_mem_alloc ma, other = {0};
	struct bma_stats before, after;
	void *p;

	memset(&ma, 0xff, sizeof ma);
	cr_assert_eq(bpf_mem_alloc_percpu_init(&ma, NULL), 0);
	cr_assert_null(bpf_mem_alloc(&ma, 100));
	cr_assert_eq(bpf_mem_alloc_percpu_unit_init(&ma, 0), -EINVAL);
	cr_assert_eq(bpf_mem_alloc_percpu_unit_init(&ma, -1), -EINVAL);
	cr_assert_eq(bpf_mem_alloc_percpu_unit_init(&ma, 4097), -EINVAL);
	cr_assert_eq(bpf_mem_alloc_percpu_unit_init(&ma, 100), 0);
	bma_stats_get(&before, sizeof before);
	cr_assert_eq(bpf_mem_alloc_percpu_unit_init(&ma, 128), 0, "the same class");
	bma_stats_get(&after, sizeof after);
	cr_assert_eq(after.caches, before.caches);
	p = bpf_mem_alloc(&ma, 128);
	cr_assert_not_null(p);
	for (unsigned int cpu = 0; cpu < num_possible_cpus(); cpu++)
		memset(per_cpu_ptr(copies_of(p), cpu), 1, 128);
	cr_assert_null(bpf_mem_alloc(&ma, 129));
	cr_assert_null(bpf_mem_alloc(&ma, 96), "the next class below");
	cr_assert_eq(bpf_mem_alloc_percpu_unit_init(&ma, 4096), 0);
	cr_assert_not_null(bpf_mem_alloc(&ma, 4096), "no header in it");
	bpf_mem_free(&ma, p);
	bpf_mem_alloc_destroy(&ma);
	cr_assert_eq(bpf_mem_alloc_init(&other, 0, false), 0);
	cr_assert_eq(bpf_mem_alloc_percpu_unit_init(&other, 8), -EINVAL, "not per CPU");
	bpf_mem_alloc_destroy(&other);
	cr_assert_eq(bpf_mem_alloc_init(&other, 8, true), 0);
	cr_assert_eq(bpf_mem_alloc_percpu_unit_init(&other, 8), -EINVAL, "of one size");
	bpf_mem_alloc_destroy(&other);
}
