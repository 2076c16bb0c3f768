/* SPDX-License-Identifier: MIT */
/* No allocation in a policy, by whatever call: the inlined ones of this program or, built without them, the exported ones. */
#include <bma/bma.h>
#include <bma/compat/bpf_mem_alloc.h>
#include <bma/oom.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/rseq.h>

#define KIB ((uint64_t)1024)

struct point {
	long x, y;
};
static struct bma_type point_type = BMA_TYPE_INIT(struct point, 0, NULL, NULL, 0);

static struct bma_group *group;
static struct bma_cache *payer; /* full: its next allocation asks the policy */
static uint64_t counted;	/* calls that the policy made, and that were refused */

static struct bma_cache *make_cache(uint64_t flags, struct bma_group *who,
				    void (*ctor)(void *, void *))
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .name = "guard",
				   .size = 64,
				   .flags = flags,
				   .group = who,
				   .ctor = ctor};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c, "errno %d", errno);
	return c;
}

static struct bma_heap *make_heap(uint64_t flags, struct bma_group *who)
{
	struct bma_heap_attr a = {.attr_size = sizeof a, .flags = flags, .group = who};
	struct bma_heap *h = bma_heap_create(&a);

	cr_assert_not_null(h);
	return h;
}

static struct bma_oom_stats stats(void)
{
	struct bma_oom_stats s;

	cr_assert_eq(bma_oom_stat(group, &s, sizeof s), 0);
	return s;
}

static bool registered(void)
{
	const struct rseq *area =
		(struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);

	return *(const volatile int32_t *)&area->cpu_id >= 0;
}

/* Ask the policy @decide, in this thread. */
static void run(enum bma_oom_answer (*decide)(struct bma_oom *oom, void *ctx), void *ctx)
{
	struct bma_oom_policy p = {
		.attr_size = sizeof p, .name = "guarded", .decide = decide, .ctx = ctx};
	struct bma_group_attr a = {.attr_size = sizeof a, .max = 16 * KIB};
	bool was = registered();

	group = bma_group_create(NULL, &a);
	payer = make_cache(BMA_CACHE_MERGE, group, NULL);
	cr_assert_eq(bma_oom_policy_attach(group, &p), 0);
	while (bma_cache_alloc_flags(payer, BMA_SLEEP))
		;
	cr_assert_eq(errno, EDQUOT);
	cr_assert_eq(registered(), was);
	cr_assert_eq(stats().asked, 1);
}

#define REFUSED(call)                                                                              \
	do {                                                                                       \
		cr_expect_not((call), "%s", #call);                                                \
		counted++;                                                                         \
	} while (0)
#define REFUSED_SLEEPING(call)                                                                     \
	do {                                                                                       \
		errno = 0;                                                                         \
		REFUSED(call);                                                                     \
		cr_expect_eq(errno, EDEADLK, "%s: errno %d", #call, errno);                        \
	} while (0)

static void every_call_on(struct bma_cache *c)
{
	void *objs[4];

	REFUSED(bma_cache_alloc(c));
	REFUSED(bma_cache_alloc_flags(c, 0));
	REFUSED(bma_cache_alloc_flags(c, BMA_ZERO));
	REFUSED_SLEEPING(bma_cache_alloc_flags(c, BMA_SLEEP));
	REFUSED_SLEEPING(bma_cache_alloc_flags(c, BMA_SLEEP | BMA_ZERO));
	REFUSED(bma_cache_alloc_bulk(c, objs, 4, 0));
	REFUSED_SLEEPING(bma_cache_alloc_bulk(c, objs, 4, BMA_SLEEP));
}

static enum bma_oom_answer allocates(struct bma_oom *oom, void *ctx)
{
	(void)oom;
	cr_expect_not(registered());
	every_call_on(ctx);
	return BMA_OOM_ABORT;
}

/* A cache with objects at hand, of each kind. */
static void check_cache(struct bma_cache *c)
{
	void *objs[40];
	size_t n = bma_cache_alloc_bulk(c, objs, 40, BMA_SLEEP);

	cr_assert_eq(n, 40);
	bma_cache_free_bulk(c, objs, 40);
	counted = 0;
	run(allocates, c);
	cr_assert_eq(stats().violations, counted, "%llu of %llu",
		     (unsigned long long)stats().violations, (unsigned long long)counted);
	/* All is well after. */
	cr_assert_eq(bma_cache_alloc_bulk(c, objs, 40, 0), 40);
	bma_cache_free_bulk(c, objs, 40);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

static void construct(void *obj, void *ctx)
{
	(void)ctx;
	memset(obj, 1, 64);
}

Test(oom_guard, a_private_cache)
{
	check_cache(make_cache(0, NULL, NULL));
}

Test(oom_guard, with_a_constructor)
{
	check_cache(make_cache(0, NULL, construct));
}

Test(oom_guard, a_merged_cache)
{
	check_cache(make_cache(BMA_CACHE_MERGE, NULL, NULL));
}

Test(oom_guard, a_merged_cache_with_a_payer)
{
	struct bma_group *g = bma_group_create(NULL, NULL);
	struct bma_group_stats s;

	check_cache(make_cache(BMA_CACHE_MERGE, g, NULL));
	check_cache(make_cache(BMA_CACHE_MERGE | BMA_CACHE_COUNT, g, NULL));
	/* It is no failure of the payer's. */
	cr_assert_eq(bma_group_stat(g, &s, sizeof s), 0);
	cr_assert_eq(s.fails[BMA_GROUP_FAIL_MEMORY] + s.fails[BMA_GROUP_FAIL_LIMIT], 0);
}

Test(oom_guard, caches_that_are_looked_at)
{
	check_cache(make_cache(BMA_CACHE_DEBUG, NULL, NULL));
	check_cache(make_cache(BMA_CACHE_KEY, NULL, NULL));
	check_cache(make_cache(BMA_CACHE_SAMPLE, NULL, NULL));
	check_cache(make_cache(BMA_CACHE_PERCPU, NULL, NULL));
	check_cache(make_cache(BMA_CACHE_MERGE | BMA_CACHE_DEBUG, bma_group_root(), NULL));
}

static enum bma_oom_answer allocates_at_the_limit(struct bma_oom *oom, void *ctx)
{
	(void)oom, (void)ctx;
	every_call_on(payer);
	return BMA_OOM_ABORT;
}

Test(oom_guard, of_the_group_that_ran_out)
{
	counted = 0;
	run(allocates_at_the_limit, NULL);
	cr_assert_eq(stats().violations, counted);
}

static enum bma_oom_answer allocates_from_a_heap(struct bma_oom *oom, void *ctx)
{
	struct bma_heap *heap = ctx;
	void *objs[4];

	(void)oom;
	REFUSED(bma_heap_alloc(heap, 100));
	REFUSED(bma_heap_alloc_flags(heap, 100, 0));
	REFUSED_SLEEPING(bma_heap_alloc_flags(heap, 5000, BMA_SLEEP));
	REFUSED(bma_heap_alloc_aligned(heap, 64, 100, 0));
	REFUSED_SLEEPING(bma_heap_alloc_aligned(heap, 4096, 100, BMA_SLEEP));
	REFUSED(bma_heap_alloc_bulk(heap, 100, objs, 4, 0));
	REFUSED(bma_heap_realloc(heap, NULL, 100, 0));
	REFUSED(bma_heap_alloc(heap, 3 << 20));
	REFUSED_SLEEPING(bma_heap_alloc_flags(heap, 3 << 20, BMA_SLEEP));
	REFUSED_SLEEPING(bma_heap_alloc_aligned(heap, 4096, 3 << 20, BMA_SLEEP));
	REFUSED(bma_new(heap, struct point));
	REFUSED_SLEEPING(bma_new_type(heap, &point_type, BMA_SLEEP));
	REFUSED(bma_new_refcounted(heap, struct point));
	return BMA_OOM_ABORT;
}

static void check_heap(struct bma_heap *heap)
{
	void *objs[10];

	cr_assert_eq(bma_heap_alloc_bulk(heap, 100, objs, 10, BMA_SLEEP), 10);
	bma_heap_free_bulk(heap, objs, 10);
	counted = 0;
	run(allocates_from_a_heap, heap);
	cr_assert_eq(stats().violations, counted, "%llu of %llu",
		     (unsigned long long)stats().violations, (unsigned long long)counted);
	objs[0] = bma_heap_alloc(heap, 100);
	cr_assert_not_null(objs[0]);
	bma_heap_free(heap, objs[0]);
}

Test(oom_guard, heaps)
{
	check_heap(bma_heap_global());
	check_heap(make_heap(BMA_HEAP_PRIVATE, NULL));
	check_heap(make_heap(0, bma_group_create(NULL, NULL)));
}

struct things {
	struct bma_cache *cache;
	struct bma_reserve *reserve;
	struct bpf_mem_alloc *ma;
};

static enum bma_oom_answer other_calls(struct bma_oom *oom, void *ctx)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};
	struct things *t = ctx;

	(void)oom;
	REFUSED(bma_reserve_alloc(t->reserve));
	REFUSED_SLEEPING(bma_reserve_create(t->cache, 5));
	cr_expect_eq(bma_reserve_refill(t->reserve), -EDEADLK);
	counted++;
	REFUSED(bpf_mem_alloc(t->ma, 64));
	REFUSED(bpf_mem_cache_alloc(t->ma));
	REFUSED_SLEEPING(bma_cache_create(&a));
	REFUSED_SLEEPING(bma_heap_create(NULL));
	return BMA_OOM_ABORT;
}

Test(oom_guard, reserves_and_other_names)
{
	struct bpf_mem_alloc ma;
	struct things t = {.cache = make_cache(0, NULL, NULL), .ma = &ma};

	t.reserve = bma_reserve_create(t.cache, 8);
	cr_assert_eq(bpf_mem_alloc_init(&ma, 64, false), 0);
	counted = 0;
	run(other_calls, &t);
	/* Which of the two bpf calls an allocator of one size has is its own affair. */
	cr_assert_geq(stats().violations, counted - 1);
	cr_assert_leq(stats().violations, counted);
	cr_assert_eq(bma_reserve_count(t.reserve), 8);
	cr_assert_not_null(bma_reserve_alloc(t.reserve));
}

static enum bma_oom_answer frees(struct bma_oom *oom, void *ctx)
{
	void **objs = ctx;

	(void)oom;
	bma_cache_free(objs[3], objs[0]);
	bma_cache_free_rcu(objs[3], objs[1]);
	bma_heap_free(bma_heap_global(), objs[2]);
	return BMA_OOM_ABORT;
}

Test(oom_guard, frees_are_allowed)
{
	struct bma_cache *c = make_cache(0, NULL, NULL);
	void *objs[4] = {bma_cache_alloc_flags(c, BMA_SLEEP), bma_cache_alloc_flags(c, BMA_SLEEP),
			 bma_heap_alloc_flags(bma_heap_global(), 50, BMA_SLEEP), c};

	run(frees, objs);
	cr_assert_eq(stats().violations, 0);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
}

static _Atomic int handled, handled_inside;
static _Atomic bool deciding;
static struct bma_cache *of_handler;

static void handler(int sig)
{
	void *obj = bma_cache_alloc(of_handler);

	(void)sig;
	handled++;
	handled_inside += deciding;
	cr_expect_not_null(obj, "it is not the policy that allocates");
	bma_cache_free(of_handler, obj);
}

static enum bma_oom_answer is_interrupted(struct bma_oom *oom, void *ctx)
{
	(void)oom, (void)ctx;
	deciding = true;
	pthread_kill(pthread_self(), SIGUSR1);
	cr_expect_eq(handled, 0);
	/* A fault of its own is told at once. */
	raise(SIGTRAP);
	deciding = false;
	return BMA_OOM_ABORT;
}

static _Atomic int trapped;

static void trap(int sig)
{
	(void)sig;
	trapped++;
}

Test(oom_guard, signals_wait)
{
	void *obj;

	of_handler = make_cache(0, NULL, NULL);
	obj = bma_cache_alloc_flags(of_handler, BMA_SLEEP);
	bma_cache_free(of_handler, obj);
	signal(SIGUSR1, handler);
	signal(SIGTRAP, trap);
	run(is_interrupted, NULL);
	cr_assert_eq(handled, 1);
	cr_assert_eq(handled_inside, 0);
	cr_assert_eq(trapped, 1);
	cr_assert_eq(stats().violations, 0);
}

static enum bma_oom_answer keeps_errno(struct bma_oom *oom, void *ctx)
{
	(void)oom, (void)ctx;
	errno = 99;
	return BMA_OOM_ABORT;
}

Test(oom_guard, errno_of_a_policy_does_not_show)
{
	run(keeps_errno, NULL); /* looks for EDQUOT */
}

/* Only the thread whose policy it is. */
static void *elsewhere(void *ctx)
{
	void *obj = bma_cache_alloc_flags(ctx, BMA_SLEEP);

	if (obj)
		bma_cache_free(ctx, obj);
	return obj;
}

static enum bma_oom_answer has_help(struct bma_oom *oom, void *ctx)
{
	pthread_t t;
	void *obj;

	(void)oom;
	pthread_create(&t, NULL, elsewhere, ctx);
	pthread_join(t, &obj);
	cr_expect_not_null(obj);
	return BMA_OOM_ABORT;
}

Test(oom_guard, other_threads_allocate)
{
	run(has_help, make_cache(0, NULL, NULL));
	cr_assert_eq(stats().violations, 0);
}
