/* SPDX-License-Identifier: MIT */
/* The kernel's names: what each call promises, and how it fails. */
#include <bma/compat/bpf_mem_alloc.h>

#include <bma/heap.h>
#include <bma/stats.h>
#include <bma/worker.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-memb.h>

static const int class_size[] = {16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096};
#define CLASSES (sizeof class_size / sizeof class_size[0])

static uint64_t caches(void)
{
	struct bma_stats s;

	cr_assert_eq(bma_stats_get(&s, sizeof s), 0);
	return s.caches;
}

/* Until @n caches are left. */
static void trim_to(uint64_t n)
{
	for (int i = 0; i < 100 && caches() > n; i++)
		bma_trim();
	cr_assert_eq(caches(), n);
}

static void assert_zeroed(const struct bpf_mem_alloc *ma)
{
	cr_assert_null(ma->cache);
	cr_assert_null(ma->caches);
	cr_assert_not(ma->percpu);
}

static struct bpf_mem_alloc make(int size, bool percpu)
{
	struct bpf_mem_alloc ma;

	memset(&ma, 0xff, sizeof ma);
	cr_assert_eq(bpf_mem_alloc_init(&ma, size, percpu), 0);
	return ma;
}

Test(compat, init_refuses)
{
	struct bpf_mem_alloc ma;
	static const struct {
		int size;
		bool percpu;
	} bad[] = {
		{0, true}, {-1, false}, {-1, true}, {(1 << 20) + 1, false}, {(32 << 10) + 1, true}};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		memset(&ma, 0xff, sizeof ma);
		cr_assert_eq(bpf_mem_alloc_init(&ma, bad[i].size, bad[i].percpu), -EINVAL);
		assert_zeroed(&ma);
		bpf_mem_alloc_destroy(&ma);
	}
}

Test(compat, one_size)
{
	static const int size[] = {1, 8, 56, 96, 4096, 10000, 1 << 20};
	void *p;

	for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
		struct bpf_mem_alloc ma = make(size[i], false);

		p = bpf_mem_cache_alloc(&ma);
		cr_assert_not_null(p);
		memset(p, 1, (size_t)size[i]);
		cr_assert_null(bpf_mem_alloc(&ma, 8), "that is for any size");
		bpf_mem_cache_free(&ma, NULL);
		bpf_mem_cache_free_rcu(&ma, NULL);
		bpf_mem_cache_raw_free(NULL);
		bpf_mem_cache_free(&ma, p);
		bpf_mem_cache_free_rcu(&ma, bpf_mem_cache_alloc(&ma));
		bpf_mem_cache_raw_free(bpf_mem_cache_alloc(&ma));
		bpf_mem_alloc_destroy(&ma);
		assert_zeroed(&ma);
	}
}

/* A plain free is for at once, of the same thread's next call at the latest; one by RCU is not while somebody reads. */
Test(compat, when_it_comes_back)
{
	struct bpf_mem_alloc ma = make(64, false);
	void *p = bpf_mem_cache_alloc(&ma), *q;

	bpf_mem_cache_free(&ma, p);
	cr_assert_eq(bpf_mem_cache_alloc(&ma), p);
	bpf_mem_cache_raw_free(p);
	cr_assert_eq(bpf_mem_cache_alloc(&ma), p);
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	memset(p, 0x5a, 64);
	bpf_mem_cache_free_rcu(&ma, p);
	for (int i = 0; i < 10000; i++) {
		q = bpf_mem_cache_alloc_flags(&ma, GFP_KERNEL);
		cr_assert_not_null(q);
		cr_assert_neq(q, p);
	}
	for (int i = 0; i < 64; i++)
		cr_assert_eq(((unsigned char *)p)[i], 0x5a);
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	bpf_mem_alloc_destroy(&ma);
}

/* The same by the calls for any size. */
Test(compat, when_it_comes_back_by_size)
{
	struct bpf_mem_alloc ma = make(0, false);
	void *p = bpf_mem_alloc(&ma, 64);

	bpf_mem_free(&ma, p);
	cr_assert_eq(bpf_mem_alloc(&ma, 64), p);
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	bpf_mem_free_rcu(&ma, p);
	for (int i = 0; i < 1000; i++)
		cr_assert_neq(bpf_mem_alloc(&ma, 64), p);
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	bpf_mem_alloc_destroy(&ma);
}

Test(compat, any_size)
{
	struct bpf_mem_alloc ma = make(0, false);
	void *p;

	cr_assert_null(bpf_mem_alloc(&ma, 0));
	cr_assert_null(bpf_mem_alloc(&ma, 4089));
	cr_assert_null(bpf_mem_alloc(&ma, SIZE_MAX));
	cr_assert_null(bpf_mem_cache_alloc(&ma), "that is for one size");
	cr_assert_null(bpf_mem_cache_alloc_flags(&ma, GFP_KERNEL));
	for (size_t size = 1; size <= 4088; size++) {
		size_t c = 0;

		p = bpf_mem_alloc(&ma, size);
		cr_assert_not_null(p, "%zu", size);
		memset(p, 1, size);
		while ((size_t)class_size[c] < size)
			c++;
		cr_assert_eq(bma_heap_usable_size(p), (size_t)class_size[c]);
		(size % 2 ? bpf_mem_free : bpf_mem_free_rcu)(&ma, p);
	}
	bpf_mem_free(&ma, NULL);
	bpf_mem_free_rcu(&ma, NULL);
	bpf_mem_alloc_destroy(&ma);
}

Test(compat, check_size)
{
	cr_assert_eq(bpf_mem_alloc_check_size(false, 0), 0);
	cr_assert_eq(bpf_mem_alloc_check_size(false, 4088), 0);
	cr_assert_eq(bpf_mem_alloc_check_size(false, 4089), -E2BIG);
	cr_assert_eq(bpf_mem_alloc_check_size(true, 4096), 0);
	cr_assert_eq(bpf_mem_alloc_check_size(true, 4097), -E2BIG);
	cr_assert_eq(bpf_mem_alloc_check_size(true, SIZE_MAX), -E2BIG);
}

Test(compat, a_zeroed_struct_is_safe)
{
	struct bpf_mem_alloc other = make(64, false), ma = {0};
	void *p = bpf_mem_cache_alloc(&other), *q = bpf_mem_cache_alloc(&other);

	bpf_mem_alloc_destroy(&ma);
	cr_assert_null(bpf_mem_alloc(&ma, 8));
	cr_assert_null(bpf_mem_cache_alloc(&ma));
	cr_assert_null(bpf_mem_cache_alloc_flags(&ma, GFP_KERNEL));
	cr_assert_eq(bpf_mem_alloc_percpu_unit_init(&ma, 8), -EINVAL);
	bpf_mem_free(&ma, NULL);
	bpf_mem_free_rcu(&ma, NULL);
	bpf_mem_cache_free(&ma, NULL);
	bpf_mem_cache_free_rcu(&ma, NULL);
	/* An object goes home by its address. */
	bpf_mem_cache_free(&ma, p);
	cr_assert_eq(bpf_mem_cache_alloc(&other), p);
	bpf_mem_cache_free_rcu(&ma, q);
	bpf_mem_free(&ma, p);
	bpf_mem_alloc_destroy(&other);
	bpf_mem_alloc_destroy(&other);
	trim_to(0);
}

/* With an object in an open read section, and one that is live. */
Test(compat, destroy_never_waits)
{
	struct bpf_mem_alloc ma = make(0, false);
	char *p = bpf_mem_alloc(&ma, 100), *q = bpf_mem_alloc(&ma, 100);

	cr_assert_eq(caches(), CLASSES);
	strcpy(p, "p");
	strcpy(q, "q");
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	bpf_mem_free_rcu(&ma, p);
	bpf_mem_alloc_destroy(&ma);
	assert_zeroed(&ma);
	cr_assert_str_eq(p, "p");
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	trim_to(1);
	cr_assert_str_eq(q, "q");
	bpf_mem_free(&ma, q);
	trim_to(0);
}

Test(compat, alloc_flags)
{
	enum { N = 20000 };
	struct bpf_mem_alloc ma = make(32, false);
	static unsigned char *p[N];

	for (int i = 0; i < N; i++) {
		p[i] = bpf_mem_cache_alloc_flags(&ma, GFP_KERNEL);
		cr_assert_not_null(p[i], "one that may sleep gets all there is");
		memset(p[i], 7, 32);
	}
	for (int i = 0; i < N; i++)
		bpf_mem_cache_free(&ma, p[i]);
	p[0] = bpf_mem_cache_alloc_flags(&ma, GFP_NOWAIT);
	cr_assert_eq(p[0][31], 7, "recycled as it was");
	p[1] = bpf_mem_cache_alloc_flags(&ma, GFP_NOWAIT | __GFP_ZERO);
	p[2] = bpf_mem_cache_alloc_flags(&ma, GFP_KERNEL | __GFP_ZERO);
	for (int i = 0; i < 64; i++)
		cr_assert_eq(p[1 + i / 32][i % 32], 0);
	bpf_mem_alloc_destroy(&ma);
}

/* Who may not sleep gets what is there and no more. */
Test(compat, alloc_flags_without_sleep)
{
	struct bpf_mem_alloc ma;
	int n = 0;

	setenv("BMA_CONF", "worker:off", 1);
	ma = make(32, false);
	errno = 0;
	while (n < 100000 && bpf_mem_cache_alloc_flags(&ma, GFP_NOWAIT))
		n++;
	cr_assert_lt(n, 100000);
	cr_assert_null(bpf_mem_cache_alloc(&ma));
	cr_assert_eq(errno, 0);
	cr_assert_not_null(bpf_mem_cache_alloc_flags(&ma, GFP_KERNEL));
	bpf_mem_alloc_destroy(&ma);
}

static void *init_global(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)bpf_global_ma_init();
}

Test(compat, the_global_one)
{
	enum { THREADS = 4 };
	pthread_t t[THREADS];
	void *p, *rc;

	cr_assert_not(bpf_global_ma_set);
	cr_assert_null(bpf_mem_alloc(&bpf_global_ma, 8), "before it is there, in any context");
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, init_global, NULL);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &rc);
		cr_assert_null(rc);
	}
	cr_assert(bpf_global_ma_set);
	/* Those who came too late have left caches behind; a trim leaves no stock. */
	trim_to(CLASSES);
	cr_assert_geq(bma_poll(0), 0);
	p = bpf_mem_alloc(&bpf_global_ma, 8);
	cr_assert_not_null(p);
	bpf_mem_free(&bpf_global_ma, p);
	cr_assert_eq(bpf_global_ma_init(), 0);
	cr_assert_eq(caches(), CLASSES);
}
