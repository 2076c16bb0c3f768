/* SPDX-License-Identifier: MIT */
/* The calls on heaps, as users make them. Built twice: inlined and exported. */
#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <urcu/urcu-memb.h>

static struct bma_heap *make(uint64_t flags, uint64_t cache_flags)
{
	struct bma_heap_attr a;
	struct bma_heap *h;

	memset(&a, 0, sizeof a);
	a.attr_size = sizeof a;
	a.name = "test";
	a.flags = flags;
	a.cache_flags = cache_flags;
	h = bma_heap_create(&a);
	cr_assert_not_null(h);
	return h;
}

static struct bma_heap_stats stats(struct bma_heap *h)
{
	struct bma_heap_stats s;

	cr_assert_eq(bma_heap_stats_get(h, &s, sizeof s), 0);
	return s;
}

static bool is_filled(const unsigned char *p, unsigned char value, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != value)
			return false;
	}
	return true;
}

Test(heap, bad_attributes_are_refused)
{
	static const struct {
		struct bma_heap_attr attr;
		int error;
	} bad[] = {
		{{.attr_size = 8}, E2BIG},
		{{.attr_size = sizeof(struct bma_heap_attr), .flags = 1ull << 40}, EINVAL},
		{{.attr_size = sizeof(struct bma_heap_attr), .cache_flags = BMA_CACHE_MERGE},
		 EINVAL},
		{{.attr_size = sizeof(struct bma_heap_attr),
		  .flags = BMA_HEAP_COUNT | BMA_HEAP_PRIVATE},
		 EINVAL},
		{{.attr_size = sizeof(struct bma_heap_attr),
		  .flags = BMA_HEAP_PERCPU,
		  .cache_flags = BMA_CACHE_POISON},
		 EINVAL},
		{{.attr_size = sizeof(struct bma_heap_attr),
		  .cache_flags = BMA_CACHE_GUARD | BMA_CACHE_REDZONE},
		 EINVAL},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		errno = 0;
		cr_assert_null(bma_heap_create(&bad[i].attr), "%zu", i);
		cr_assert_eq(errno, bad[i].error, "%zu: errno %d", i, errno);
	}
	cr_assert_eq(bma_heap_destroy(NULL), 0);
}

/* Every size up to the largest class, and around each boundary: what is promised of waste, alignment, contents. */
Test(heap, classes_waste_no_more_than_they_promise)
{
	struct bma_heap *h = make(BMA_HEAP_PRIVATE, 0);

	for (size_t size = 1; size <= BMA_HEAP_CLASS_MAX; size += size < 5000 ? 1 : size / 61) {
		unsigned char *p = bma_heap_alloc_flags(h, size, BMA_SLEEP);
		size_t usable = bma_heap_usable_size(p);

		cr_assert_not_null(p, "%zu", size);
		cr_assert_geq(usable, size);
		if (size <= 64)
			cr_assert_lt(usable - size, 8);
		else
			cr_assert_leq((usable - size) * (size <= 4096 ? 8 : 5), usable, "%zu: %zu",
				      size, usable);
		cr_assert_eq((uintptr_t)p % (usable % 16 ? 8 : 16), 0);
		memset(p, (int)size, size);
		if (size % 3)
			bma_heap_free(h, p);
		else
			bma_heap_free_sized(h, p, size);
	}
	cr_assert_eq(stats(h).live, 0);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

/* What inlined code computes, which is frozen: for every size the smallest class that fits, and as it ever was around the boundaries. */
Test(heap, the_class_of_every_size)
{
	static const struct {
		size_t size;
		unsigned int class;
	} frozen[] = {{1, 0},	  {8, 0},     {9, 1},	    {64, 7},
		      {65, 8},	  {72, 8},    {128, 15},    {129, 16},
		      {4096, 55}, {4097, 56}, {5120, 56},   {5121, 57},
		      {8192, 59}, {8193, 60}, {262143, 79}, {BMA_HEAP_CLASS_MAX, 79}};

	for (size_t size = 1; size <= BMA_HEAP_CLASS_MAX; size++) {
		unsigned int c = bma__heap_class(size);

		cr_assert_lt(c, BMA__HEAP_CLASSES, "%zu", size);
		cr_assert_geq(bma__heap_class_size(c), size, "%zu", size);
		cr_assert(!c || bma__heap_class_size(c - 1) < size, "%zu: class %u", size, c);
	}
	for (size_t i = 0; i < sizeof frozen / sizeof frozen[0]; i++)
		cr_assert_eq(bma__heap_class(frozen[i].size), frozen[i].class, "%zu",
			     frozen[i].size);
}

Test(heap, the_kernels_classes)
{
	static const size_t sizes[] = {16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096};
	struct bma_heap *h = make(BMA_HEAP_PRIVATE | BMA_HEAP_KERNEL_CLASSES, 0);
	size_t from = 1;

	cr_assert_eq(stats(h).classes, 11);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (size_t size = from; size <= sizes[i]; size += sizes[i] / 16) {
			void *p = bma_heap_alloc(h, size);

			cr_assert_eq(bma_heap_usable_size(p), sizes[i], "%zu", size);
			bma_heap_free(h, p);
		}
		from = sizes[i] + 1;
	}
	cr_assert_null(bma_heap_alloc(h, 4097));
	errno = 0;
	cr_assert_null(bma_heap_alloc_flags(h, 4097, BMA_SLEEP));
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(stats(h).too_large, 2);
	cr_assert_null(bma_heap_cache(h, 4097));
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(heap, sizes_of_zero_and_beyond_the_maximum)
{
	struct bma_heap *h = make(0, 0);

	errno = 0;
	cr_assert_null(bma_heap_alloc(h, 0));
	cr_assert_null(bma_heap_alloc(h, BMA_HEAP_CLASS_MAX + 1));
	cr_assert_null(bma_heap_alloc(h, SIZE_MAX));
	cr_assert_eq(errno, 0, "any-context calls leave errno alone");
	cr_assert_eq(stats(h).too_large, 2);
	cr_assert_null(bma_heap_alloc_flags(h, 0, BMA_SLEEP));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(bma_heap_alloc_flags(h, SIZE_MAX, BMA_SLEEP));
	cr_assert_eq(errno, ENOMEM);
	cr_assert_null(bma_heap_alloc_flags(h, SIZE_MAX / 4, BMA_SLEEP));
	bma_heap_free(h, NULL);
	bma_heap_free_rcu(h, NULL);
	cr_assert_eq(bma_heap_usable_size(NULL), 0);
	cr_assert_null(bma_heap_of(NULL));
	cr_assert_null(bma_heap_of(&h));
	cr_assert_null(bma_heap_of((void *)UINTPTR_MAX));
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(heap, large_objects_are_runs_of_pages)
{
	struct bma_heap *h = make(0, 0), *other = make(BMA_HEAP_PRIVATE, 0);
	unsigned char *p = bma_heap_alloc_flags(h, 3000000, BMA_SLEEP), *q;
	struct bma_stats before, after;

	cr_assert_not_null(p);
	cr_assert(is_filled(p, 0, 3000000));
	cr_assert_geq(bma_heap_usable_size(p), 3000000);
	cr_assert_eq(bma_heap_of(p), h);
	cr_assert_eq(stats(h).large, 1);
	cr_assert_eq(bma_heap_destroy(h), -EBUSY, "what is large is always known");
	memset(p, 7, 3000000);
	q = bma_heap_realloc(h, p, 9000000, BMA_SLEEP);
	cr_assert_not_null(q);
	cr_assert(is_filled(q, 7, 3000000));
	cr_assert_null(bma_heap_realloc(h, q, 90000000, 0), "that needs a caller that may sleep");
	bma_trim();
	bma_stats_get(&before, sizeof before);
	bma_heap_free_rcu(h, q);
	bma_trim();
	bma_stats_get(&after, sizeof after);
	cr_assert_leq(after.chunk_bytes + 9000000, before.chunk_bytes);
	cr_assert_eq(stats(h).large, 0);
	cr_assert_eq(stats(h).large_bytes, 0);
	cr_assert_eq(bma_heap_destroy(h), 0);
	cr_assert_eq(bma_heap_destroy(other), 0);
}

static void wait_a_moment(void)
{
	struct timespec ms = {0, 1000000};

	nanosleep(&ms, NULL);
}

Test(heap, the_worker_unmaps_what_was_large)
{
	struct bma_heap *h = make(0, 0);

	bma_heap_free(h, bma_heap_alloc_flags(h, 1 << 20, BMA_SLEEP));
	for (int i = 0; i < 20000 && stats(h).large; i++)
		wait_a_moment();
	cr_assert_eq(stats(h).large, 0);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

/* A reader that holds on keeps a large object mapped. */
Test(heap, a_large_object_waits_for_its_readers)
{
	struct bma_heap *h = make(0, 0);
	unsigned char *p = bma_heap_alloc_flags(h, 1 << 20, BMA_SLEEP);

	cr_assert_not_null(p);
	memset(p, 5, 1 << 20);
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	bma_heap_free_rcu(h, p);
	for (int i = 0; i < 20; i++)
		bma_poll(0);
	cr_assert(is_filled(p, 5, 1 << 20));
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	cr_assert_geq(bma_poll(BMA_POLL_GP), 0);
	cr_assert_eq(bma_heap_usable_size(p), 0);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(heap, alignments)
{
	struct bma_heap *h = make(0, 0);
	void *kept[64];
	size_t n = 0;

	for (size_t align = 1; align <= BMA_CACHE_ALIGN_MAX; align *= 2) {
		for (size_t size = 1; size <= 300000; size = size * 3 + 5) {
			unsigned char *p = bma_heap_alloc_aligned(h, align, size, BMA_SLEEP);

			cr_assert_not_null(p, "%zu at %zu", size, align);
			cr_assert_eq((uintptr_t)p % align, 0);
			cr_assert_geq(bma_heap_usable_size(p), size);
			memset(p, 0x5a, bma_heap_usable_size(p));
			if (n < 64 && size < 2000)
				kept[n++] = p;
			else if (size % 2)
				bma_heap_free(h, p);
			else
				bma_heap_free_rcu(h, p);
		}
	}
	/* What the class gives by itself is not looked for inside larger objects. */
	cr_assert_eq(bma_heap_usable_size(bma_heap_alloc_aligned(h, 64, 64, BMA_SLEEP)), 64);
	bma_heap_free_bulk(h, kept, n);
	cr_assert_null(bma_heap_alloc_aligned(h, 24, 64, 0));
	cr_assert_null(bma_heap_alloc_aligned(h, 0, 64, 0));
	errno = 0;
	cr_assert_null(bma_heap_alloc_aligned(h, 2 * BMA_CACHE_ALIGN_MAX, 64, BMA_SLEEP));
	cr_assert_eq(errno, EINVAL);
	bma_trim();
	cr_assert_eq(bma_heap_destroy(h), 0);
}

/* So its new size is not one to free it by. */
Test(heap, what_shrinks_a_little_stays_in_its_class)
{
	struct bma_heap *h = make(BMA_HEAP_PRIVATE, BMA_CACHE_DEBUG);
	void *p = bma_heap_alloc_flags(h, 100, BMA_SLEEP);

	cr_assert_eq(bma_heap_realloc(h, p, 60, 0), p);
	cr_assert_eq(bma_heap_usable_size(p), 104);
	cr_assert_neq(bma_heap_cache(h, 60), bma_heap_cache(h, 100));
	bma_heap_free_sized(h, p, 100);
	cr_assert_eq(stats(h).live, 0);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(heap, realloc_as_c17_says)
{
	struct bma_heap *h = make(BMA_HEAP_PRIVATE, 0);
	unsigned char *p = bma_heap_realloc(h, NULL, 10, 0), *q;

	cr_assert_not_null(p);
	memset(p, 1, 10);
	q = bma_heap_realloc(h, p, 12, 0);
	cr_assert_eq(q, p, "it fits");
	q = bma_heap_realloc(h, p, 5000, BMA_SLEEP);
	cr_assert(q && is_filled(q, 1, 10));
	q = bma_heap_realloc(h, q, 6, 0);
	cr_assert(q && is_filled(q, 1, 6));
	cr_assert_eq(bma_heap_usable_size(q), 8, "much too large is given back");
	cr_assert_eq(stats(h).live, 1);
	cr_assert_null(bma_heap_realloc(h, q, 0, 0));
	cr_assert_eq(stats(h).live, 0);
	cr_assert_null(bma_heap_realloc(h, NULL, 0, 0));
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(heap, zeroed_when_asked_for)
{
	struct bma_heap *h = make(BMA_HEAP_PRIVATE, 0);

	for (int i = 0; i < 300; i++) {
		unsigned char *p = bma_heap_alloc_flags(h, 200, BMA_SLEEP | BMA_ZERO);

		cr_assert(is_filled(p, 0, 200));
		memset(p, 9, 200);
		bma_heap_free(h, p);
	}
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(heap, a_private_heap_knows_what_is_live)
{
	struct bma_heap *h = make(BMA_HEAP_PRIVATE, 0);
	void *objs[100], *more;

	cr_assert_eq(bma_heap_alloc_bulk(h, 100, objs, 100, BMA_SLEEP), 100);
	cr_assert_eq(stats(h).live, 100);
	cr_assert_eq(bma_heap_of(objs[0]), h);
	cr_assert_eq(bma_heap_destroy(h), -EBUSY);
	/* It goes on working, classes that had nothing live included. */
	more = bma_heap_alloc_flags(h, 2000, BMA_SLEEP);
	cr_assert_not_null(more);
	bma_heap_free(h, more);
	bma_heap_free_bulk(h, objs, 100);
	/* And the worker serves them. */
	for (int i = 0; i < 3000; i++) {
		void *p = NULL;

		for (int tries = 0; !p && tries < 1000; tries++) {
			p = bma_heap_alloc(h, 2000);
			cr_assert(p || bma_poll(0) >= 0);
		}
		cr_assert_not_null(p, "%d", i);
	}
	cr_assert_eq(stats(h).live, 3000);
}

Test(heap, destroy_all_takes_everything_back)
{
	struct bma_stats before, after;
	struct bma_heap *h;

	bma_heap_global();
	bma_trim();
	bma_stats_get(&before, sizeof before);
	h = make(BMA_HEAP_DESTROY_ALL, 0);
	for (size_t i = 0; i < 20000; i++) {
		char *p = bma_heap_alloc_flags(h, 8 + i % 3000, BMA_SLEEP);

		cr_assert_not_null(p);
		*p = 1;
		if (i % 7 == 0)
			bma_heap_free_rcu(h, p);
	}
	cr_assert_not_null(bma_heap_alloc_flags(h, 5000000, BMA_SLEEP));
	cr_assert_eq(bma_heap_destroy(h), 0);
	bma_trim();
	bma_stats_get(&after, sizeof after);
	cr_assert_leq(after.slab_bytes, before.slab_bytes);
	cr_assert_leq(after.chunk_bytes, before.chunk_bytes + (4 << 20));
	cr_assert_eq(after.caches, before.caches);
}

Test(heap, a_counted_heap_counts_in_shared_classes)
{
	struct bma_heap *counted = make(BMA_HEAP_COUNT, 0), *plain = make(0, 0);
	void *p = bma_heap_alloc(counted, 64), *q = bma_heap_alloc(plain, 64), *r;

	cr_assert(p && q);
	cr_assert_eq(stats(counted).live, 1);
	cr_assert_eq(stats(plain).live, UINT64_MAX);
	cr_assert_eq(bma_heap_destroy(counted), -EBUSY);
	r = bma_heap_alloc_flags(counted, 64, BMA_SLEEP);
	cr_assert_eq(stats(counted).live, 2);
	bma_heap_free_sized(counted, r, 64);
	bma_heap_free_rcu(counted, p);
	cr_assert_eq(stats(counted).live, 0);
	cr_assert_eq(bma_heap_destroy(counted), 0);
	/* Nobody knows of q: it stays, and any heap that has the class takes it. */
	cr_assert_eq(bma_heap_destroy(plain), 0);
	cr_assert_eq(bma_heap_of(q), NULL);
	cr_assert_not_null(bma_heap_global());
	cr_assert_eq(bma_heap_of(q), bma_heap_global());
	bma_heap_free(bma_heap_global(), q);
	cr_assert_eq(bma_heap_destroy(bma_heap_global()), -EINVAL);
}

Test(heap, heaps_share_memory_and_caches_do)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64, .flags = BMA_CACHE_MERGE};
	struct bma_heap *one = make(0, 0), *two = make(0, 0), *own = make(BMA_HEAP_PRIVATE, 0);
	struct bma_cache *c = bma_cache_create(&a);
	struct bma_cache_stats of_one, of_two, of_cache, of_own;
	void *p;

	cr_assert_eq(bma_cache_stats_get(bma_heap_cache(one, 60), &of_one, sizeof of_one), 0);
	cr_assert_eq(bma_cache_stats_get(bma_heap_cache(two, 60), &of_two, sizeof of_two), 0);
	cr_assert_eq(bma_cache_stats_get(c, &of_cache, sizeof of_cache), 0);
	cr_assert_eq(bma_cache_stats_get(bma_heap_cache(own, 60), &of_own, sizeof of_own), 0);
	cr_assert_eq(of_one.handles, 3);
	cr_assert_eq(of_two.handles, 3);
	cr_assert_eq(of_cache.handles, 3);
	cr_assert_eq(of_own.handles, 0);
	p = bma_heap_alloc(one, 64);
	bma_heap_free(two, p);
	p = bma_cache_alloc(c);
	bma_heap_free(one, p);
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_eq(bma_heap_destroy(one), 0);
	cr_assert_eq(bma_heap_destroy(two), 0);
	cr_assert_eq(bma_heap_destroy(own), 0);
}

Test(heap, debug_flags_reach_the_classes)
{
	struct bma_heap *h = make(BMA_HEAP_PRIVATE, BMA_CACHE_POISON | BMA_CACHE_DEBUG);
	unsigned char *p = bma_heap_alloc(h, 100);

	memset(p, 3, 100);
	bma_heap_free(h, p);
	cr_assert(is_filled(p, 0x6b, 100));
	p = bma_heap_alloc_aligned(h, 512, 100, BMA_SLEEP);
	cr_assert_not_null(p);
	bma_heap_free(h, p);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

static void *first_use(void *unused)
{
	(void)unused;
	return bma_heap_global();
}

Test(heap, the_global_heap_is_one)
{
	pthread_t threads[8];
	void *seen[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, first_use, NULL);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &seen[i]);
		cr_assert_not_null(seen[i]);
		cr_assert_eq(seen[i], seen[0]);
	}
}

/* What the global heap has no class for it cannot free. */
Test(heap, only_what_the_global_heap_has_is_its_own)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 100, .flags = BMA_CACHE_MERGE};
	struct bma_cache *odd = bma_cache_create(&a), *even;
	struct bma_heap *percpu = make(BMA_HEAP_PERCPU, 0);

	a.size = 104;
	even = bma_cache_create(&a);
	bma_heap_global();
	cr_assert_null(bma_heap_of(bma_cache_alloc(odd)));
	cr_assert_eq(bma_heap_of(bma_cache_alloc(even)), bma_heap_global());
	cr_assert_null(bma_heap_of(bma_heap_alloc(percpu, 8)));
}

Test(heap, realloc_carries_all_copies)
{
	struct bma_heap *h = make(BMA_HEAP_PERCPU, 0);
	uint64_t *p = bma_heap_alloc(h, 8), *copy;

	bma_percpu_for_each(copy, p) *copy = 7;
	p = bma_heap_realloc(h, p, 100, BMA_SLEEP);
	cr_assert_eq(bma_percpu_sum_u64(p), 7 * bma_percpu_copies());
	bma_heap_free(h, p);
}

/* Though the worker, or another thread, just collects it. */
Test(heap, what_was_freed_is_not_live)
{
	struct bma_heap *h = make(0, 0);

	for (int i = 0; i < 2000; i++) {
		bma_heap_free(h, bma_heap_alloc_flags(h, 300000, BMA_SLEEP));
		cr_assert_eq(bma_heap_destroy(h), 0, "%d", i);
		h = make(0, 0);
	}
}

Test(heap, odd_arguments)
{
	struct bma_heap *h = bma_heap_create(NULL), *kernel = make(BMA_HEAP_KERNEL_CLASSES, 0);
	struct bma_heap_stats s;
	void *objs[3];
	char *large;

	cr_assert_not_null(h);
	cr_assert_str_eq(stats(h).name, "heap");
	cr_assert_null(bma_heap_cache(h, 0));
	cr_assert_null(bma_heap_cache(h, BMA_HEAP_CLASS_MAX + 1));
	cr_assert_eq(bma_heap_stats_get(NULL, &s, sizeof s), -EINVAL);
	cr_assert_eq(bma_heap_stats_get(h, NULL, sizeof s), -EINVAL);
	cr_assert_eq(bma_heap_stats_get(h, &s, 0), -EINVAL);
	cr_assert_eq(bma_heap_alloc_bulk(h, 1 << 20, objs, 3, 0), 0);
	cr_assert_eq(bma_heap_alloc_bulk(h, 1 << 20, objs, 3, BMA_SLEEP), 3);
	large = objs[0];
	cr_assert_eq(bma_heap_usable_size(large + 4096), 0);
	cr_assert_null(bma_heap_of(large + 4096));
	bma_heap_free_sized(h, large, 1 << 20);
	bma_heap_free_bulk(h, objs + 1, 2);
	cr_assert_null(bma_heap_alloc_aligned(h, 64, 0, 0));
	cr_assert_null(bma_heap_alloc_aligned(h, 64, BMA_HEAP_CLASS_MAX + 1, 0));
	cr_assert_null(bma_heap_alloc_aligned(h, 64, SIZE_MAX, 0));
	cr_assert_null(bma_heap_alloc_aligned(kernel, 128, 4096, 0), "128 more are too many");
	cr_assert_null(bma_heap_alloc_aligned(kernel, 64, 200000, 0));
	objs[0] = bma_heap_alloc(h, 64);
	cr_assert_null(bma_heap_of(objs[0]), "there is no global heap yet");
	bma_heap_free(h, objs[0]);
	cr_assert_eq(bma_heap_destroy(kernel), 0);
}

Test(heap, a_reserve_of_a_class)
{
	struct bma_heap *h = make(BMA_HEAP_COUNT, 0);
	struct bma_reserve *r = bma_reserve_create(bma_heap_cache(h, 200), 4);
	void *p;

	cr_assert_not_null(r);
	cr_assert_eq(stats(h).live, 0);
	p = bma_reserve_alloc(r);
	cr_assert_eq(stats(h).live, 1);
	bma_heap_free(h, p);
	cr_assert_eq(bma_heap_destroy(h), -EBUSY);
	bma_reserve_destroy(r);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

/* Heaps of before and of after are the same to who frees: the profile sees calls, not objects. */
Test(heap, the_profile_is_no_other_heap)
{
	struct bma_heap *global = bma_heap_global(), *h;
	void *p;

	cr_assert_eq(bma_profile_set(1 << 19), 0);
	h = make(0, 0);
	p = bma_heap_alloc_flags(h, 100, BMA_SLEEP);
	cr_assert_not_null(p);
	cr_assert_eq(bma_heap_destroy(h), 0);
	bma_heap_free(global, p);
}
