/* SPDX-License-Identifier: MIT */
/* The calls on caches, as users make them. Built twice: inlined and exported. */
#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bma_cache_attr attr(size_t size)
{
	struct bma_cache_attr a;

	memset(&a, 0, sizeof a);
	a.attr_size = sizeof a;
	a.size = size;
	return a;
}

static struct bma_cache *create(size_t size)
{
	struct bma_cache_attr a = attr(size);
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static struct bma_cache_stats stats(struct bma_cache *c)
{
	struct bma_cache_stats s;

	cr_assert_eq(bma_cache_stats_get(c, &s, sizeof s), 0);
	return s;
}

#define REFUSED(error, change)                                                                     \
	do {                                                                                       \
		struct bma_cache_attr a = attr(64);                                                \
		change;                                                                            \
		errno = 0;                                                                         \
		cr_assert_null(bma_cache_create(&a), #change);                                     \
		cr_assert_eq(errno, error, #change);                                               \
	} while (0)

static int constructed;

static void construct(void *obj, void *ctx)
{
	constructed++;
	*(void **)obj = ctx;
}

Test(cache, bad_attributes_are_refused)
{
	errno = 0;
	cr_assert_null(bma_cache_create(NULL));
	cr_assert_eq(errno, EINVAL);
	REFUSED(EINVAL, a.size = 0);
	REFUSED(EINVAL, a.size = BMA_CACHE_SIZE_MAX + 1);
	REFUSED(EINVAL, a.size = SIZE_MAX);
	REFUSED(EINVAL, a.align = 3);
	REFUSED(EINVAL, a.align = 2 * BMA_CACHE_ALIGN_MAX);
	REFUSED(EINVAL, a.flags = (uint64_t)1 << 63);
	REFUSED(EINVAL, a.flags = (uint64_t)1 << 40);
	REFUSED(EINVAL, a.flags = BMA_CACHE_DTOR_RECYCLE);
	REFUSED(EINVAL, (a.flags = BMA_CACHE_DTOR_RECYCLE, a.ctor = construct));
	REFUSED(EINVAL, (a.batch = 64, a.high = 63));
	REFUSED(EINVAL, (a.reserve = 10, a.low = 11));
	REFUSED(EINVAL, a.reserve = SIZE_MAX);
	REFUSED(E2BIG, a.attr_size = 0);
	REFUSED(E2BIG, a.attr_size = sizeof a - 1);
	REFUSED(E2BIG, a.attr_size = sizeof a + 1);
}

static void refused_with(size_t align, uint64_t flags, const char *field)
{
	int fd[2];
	char text[256] = "";
	pid_t pid;

	cr_assert_eq(pipe(fd), 0);
	pid = fork();
	if (!pid) {
		struct bma_cache_attr a = attr(64);

		setenv("BMA_CONF", "verbose", 1);
		dup2(fd[1], STDERR_FILENO);
		a.align = align;
		a.flags = flags;
		bma_cache_create(&a);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	cr_assert_gt(read(fd[0], text, sizeof text - 1), 0);
	cr_assert_not_null(strstr(text, field), "%s", text);
	cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1, "one line");
	close(fd[0]);
	close(fd[1]);
}

Test(cache, the_field_is_named_on_request)
{
	refused_with(3, 0, "align");
	refused_with(0, BMA_CACHE_DTOR_RECYCLE, "BMA_CACHE_DTOR_RECYCLE without dtor");
}

/* The least limit is one object; it is kept by waiting. */
Test(cache, a_limit_is_rounded_up_to_objects)
{
	struct bma_cache_attr a = attr(64);
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 1);
	a.limbo_max = 1;
	c = bma_cache_create(&a);
	cr_assert_eq(stats(c).limbo_max, 1);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(
			bma_cache_free_rcu_flags(c, bma_cache_alloc_flags(c, BMA_SLEEP), BMA_SLEEP),
			0);
	cr_assert_eq(bma_cache_destroy(c), 0);
	a.limbo_max = 64 * 3 + 1;
	c = bma_cache_create(&a);
	cr_assert_eq(stats(c).limbo_max, 4);
	cr_assert_eq(bma_cache_destroy(c), 0);
	a.limbo_max = SIZE_MAX;
	c = bma_cache_create(&a);
	cr_assert_geq(stats(c).limbo_max, SIZE_MAX / 64);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(cache, sizes_and_alignments)
{
	static const size_t sizes[] = {1, 7, 8, 9, 24, 64, 100, 4096, 5000, 65536, 1 << 20};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (size_t align = 0; align <= 4096; align = align ? align * 8 : 8) {
			struct bma_cache_attr a = attr(sizes[i]);
			struct bma_cache *c;
			char *p[10];

			a.align = align;
			c = bma_cache_create(&a);
			cr_assert_not_null(c);
			cr_assert_eq(bma_cache_size(c), sizes[i]);
			for (int k = 0; k < 10; k++) {
				p[k] = bma_cache_alloc_flags(c, BMA_SLEEP);
				cr_assert_not_null(p[k]);
				cr_assert_eq((uintptr_t)p[k] % (align ? align : 8), 0);
				memset(p[k], k + 1, sizes[i]);
			}
			for (int k = 0; k < 10; k++) {
				cr_assert_eq(p[k][0], k + 1);
				cr_assert_eq(p[k][sizes[i] - 1], k + 1);
				bma_cache_free(c, p[k]);
			}
			cr_assert_eq(bma_cache_destroy(c), 0);
		}
	}
}

Test(cache, the_first_any_context_call_finds_an_object)
{
	struct bma_cache *c = create(64);

	cr_assert_not_null(bma_cache_alloc(c));
}

Test(cache, null_is_freed_and_errno_is_left_alone)
{
	struct bma_cache *c;
	void *p;

	setenv("BMA_CONF", "worker:off", 1);
	c = create(64);
	errno = 77;
	bma_cache_free(c, NULL);
	while ((p = bma_cache_alloc(c)))
		;
	cr_assert_eq(errno, 77);
	cr_assert_geq(stats(c).fail_depot_empty, 1);
	cr_assert_eq(bma_cache_destroy(NULL), 0);
}

Test(cache, zero_means_zero)
{
	struct bma_cache *c = create(100);
	unsigned char *p = bma_cache_alloc(c);

	memset(p, 0xff, 100);
	bma_cache_free(c, p);
	p = bma_cache_alloc_flags(c, BMA_ZERO);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(p[i], 0);
}

Test(cache, the_constructor_runs_once_an_object)
{
	enum { N = 1000 };
	struct bma_cache_attr a = attr(64);
	struct bma_cache *c;
	static void *p[N];

	setenv("BMA_CONF", "worker:off", 1);
	a.ctor = construct;
	a.ctx = &a;
	c = bma_cache_create(&a);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < N; i++) {
			p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
			cr_assert_eq(*(void **)p[i], &a);
		}
		for (int i = 0; i < N; i++)
			bma_cache_free(c, p[i]);
	}
	cr_assert_eq((uint64_t)constructed, stats(c).carved);
	cr_assert_leq(constructed, 2 * N);
}

Test(cache, bulk_is_all_or_what_there_is)
{
	struct bma_cache *c = create(256);
	void *p[1000];

	cr_assert_eq(bma_cache_alloc_bulk(c, p, 1000, BMA_SLEEP), 1000);
	for (int i = 0; i < 1000; i++)
		*(int *)p[i] = i;
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(*(int *)p[i], i);
	p[500] = (bma_cache_free(c, p[500]), NULL);
	bma_cache_free_bulk(c, p, 1000);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(cache, destroy_is_refused_while_objects_live)
{
	struct bma_cache *c = create(64);
	void *p = bma_cache_alloc(c), *q;

	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
	q = bma_cache_alloc_flags(c, BMA_SLEEP);
	cr_assert_not_null(q, "it goes on working");
	bma_cache_free(c, p);
	bma_cache_free(c, q);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(cache, the_ledger_adds_up)
{
	enum { N = 3000 };
	struct bma_cache *c = create(64);
	static void *p[N];
	struct bma_cache_stats s;

	for (int i = 0; i < N; i++)
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (int i = 0; i < N / 3; i++)
		bma_cache_free(c, p[i]);
	bma_shutdown();
	s = stats(c);
	cr_assert_eq(s.live, N - N / 3);
	cr_assert_eq(s.live + s.cached + s.limbo + s.parked + s.reserved + s.slab_free, s.carved);
}

Test(cache, kernel_marks_follow_the_kernel)
{
	struct bma_cache_attr a = attr(512);
	struct bma_cache_stats s;
	struct bma_cache *c;

	a.flags = BMA_CACHE_KERNEL_MARKS;
	c = bma_cache_create(&a);
	s = stats(c);
	cr_assert_eq(s.capacity, 30, "batch 24");
}

Test(cache, batch_one_keeps_nothing_in_slots)
{
	struct bma_cache_attr a = attr(64);
	struct bma_cache *c;
	void *p[50];

	a.batch = 1;
	c = bma_cache_create(&a);
	for (int i = 0; i < 50; i++)
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (int i = 0; i < 50; i++)
		bma_cache_free(c, p[i]);
	bma_shutdown();
	cr_assert_eq(stats(c).cached, stats(c).depot);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(cache, the_configured_reserve_serves_a_burst)
{
	enum { N = 10000 };
	struct bma_cache_attr a = attr(64);
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off", 1);
	a.reserve = N;
	c = bma_cache_create(&a);
	for (int i = 0; i < N; i++)
		cr_assert_not_null(bma_cache_alloc(c), "object %d", i);
	cr_assert_eq(stats(c).fail_depot_empty, 0);
}

Test(cache, a_double_free_aborts_when_it_comes_home, .signal = SIGABRT)
{
	struct bma_cache *c = create(64);
	void *p = bma_cache_alloc(c);

	bma_cache_free(c, p);
	bma_cache_free(c, p);
	bma_trim();
}

Test(cache, an_interior_pointer_aborts, .signal = SIGABRT)
{
	struct bma_cache *c = create(64);
	char *p = bma_cache_alloc(c);

	bma_cache_free(c, p + 8);
	bma_trim();
}

Test(cache, an_object_of_another_cache_aborts, .signal = SIGABRT)
{
	struct bma_cache *c = create(64), *d = create(64);

	bma_cache_free(d, bma_cache_alloc(c));
	bma_trim();
}

Test(cache, many_caches_come_and_go)
{
	enum { N = 300 };
	static struct bma_cache *c[N];
	static void *p[N];
	struct bma_stats before, after;

	bma_stats_get(&before, sizeof before);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			c[i] = create((size_t)i * 7 + 1);
			p[i] = bma_cache_alloc(c[i]);
			cr_assert_not_null(p[i]);
		}
		for (int i = 0; i < N; i++) {
			bma_cache_free(c[i], p[i]);
			cr_assert_eq(bma_cache_destroy(c[i]), 0);
		}
	}
	bma_trim();
	bma_stats_get(&after, sizeof after);
	cr_assert_eq(after.caches, before.caches);
	cr_assert_eq(after.slab_bytes, before.slab_bytes);
	cr_assert_eq(after.purge_bytes, 0);
}
