/* SPDX-License-Identifier: MIT */
/* What comes and goes while somebody decides, or gives back: policies, functions, groups, the worker. */
#include "oom_waits.h"

/* The cache of @t and its group, with all that it has. */
static void evict(struct tenant *t)
{
	bma_cache_free_bulk(t->cache, t->objs, t->n);
	t->n = 0;
	cr_assert_eq(bma_cache_destroy(t->cache), 0);
	cr_assert_eq(bma_group_destroy(t->group), 0);
}

static enum bma_oom_answer detaches_itself(struct bma_oom *oom, void *ctx)
{
	struct bma_oom_candidate o;

	++*(int *)ctx;
	cr_assert_eq(bma_oom_policy_detach(top), 0);
	cr_assert_eq(bma_oom_policy_detach(top), -ENOENT);
	cr_assert(bma_oom_next(oom, &o));
	cr_assert_eq(bma_oom_select(oom, b->group), 0);
	return BMA_OOM_SELECTED;
}

Test(oom_life, a_policy_detaches_itself)
{
	int calls = 0;

	crowd();
	cr_assert_eq(attach(top, "self", detaches_itself, &calls), 0);
	cr_assert_not_null(take(a));
	cr_assert_eq(b->released, 1);
	fill(b, 11);
	cr_assert_not_null(take(b));
	cr_assert_eq(calls, 1);
}

static enum bma_oom_answer destroys_its_group(struct bma_oom *oom, void *ctx)
{
	(void)ctx;
	cr_assert_eq(bma_group_destroy(bma_oom_group(oom)), 0);
	cr_assert_eq(bma_oom_policy_detach(bma_oom_group(oom)), -ESTALE);
	return BMA_OOM_NO_POLICY;
}

Test(oom_life, a_policy_destroys_its_group)
{
	struct bma_group *g = make_limited(NULL, "g", 8 * KIB);
	struct bma_cache *cache = cache_of(g, KIB);

	cr_assert_eq(attach(g, "end", destroys_its_group, NULL), 0);
	for (int i = 0; i < 8; i++)
		cr_assert_not_null(bma_cache_alloc_flags(cache, BMA_SLEEP));
	/* With the limit gone it goes on. */
	cr_assert_not_null(bma_cache_alloc_flags(cache, BMA_SLEEP));
	cr_assert_null(bma__group_of(g));
}

static enum bma_oom_answer destroys_a_candidate(struct bma_oom *oom, void *ctx)
{
	struct bma_oom_candidate o;
	int n = 0;

	(void)ctx;
	cr_assert_eq(bma_oom_select(oom, b->group), 0);
	evict(b);
	cr_assert_eq(bma_oom_select(oom, b->group), -ENOENT);
	cr_assert_eq(bma_oom_ignore(oom, b->group), -ENOENT);
	while (bma_oom_next(oom, &o)) {
		cr_assert_eq(o.group, a->group);
		n++;
	}
	cr_assert_eq(n, 1);
	/* One at its place is another one. */
	cr_assert_eq(bma_oom_select(oom, make(top, "b")), -ENOENT);
	return BMA_OOM_SELECTED;
}

Test(oom_life, a_candidate_is_destroyed_while_it_is_looked_at)
{
	crowd();
	cr_assert_eq(attach(top, "evicts", destroys_a_candidate, NULL), 0);
	/* That freed memory, too. */
	cr_assert_not_null(take(a));
	cr_assert_eq(b->released, 0);
	cr_assert_eq(a->released, 0);
}

static uint64_t destroys_its_own(struct tenant *t)
{
	evict(t);
	return 0;
}

Test(oom_life, a_release_destroys_its_group)
{
	crowd();
	a->instead = destroys_its_own;
	cr_assert_not_null(take(b));
	cr_assert_eq(a->released, 1);
	cr_assert_null(bma__group_of(a->group));
	cr_assert_eq(oom_of(top).events, 1);
}

static uint64_t ends_itself(struct tenant *t)
{
	cr_assert_eq(bma_oom_set_release(t->group, NULL, NULL, 0), 0);
	bma_cache_free_bulk(t->cache, t->objs, t->n);
	t->n = 0;
	return 0;
}

Test(oom_life, a_release_ends_itself)
{
	crowd();
	a->instead = ends_itself;
	cr_assert_not_null(take(b));
	fill(a, 19);
	a->instead = NULL;
	cr_assert_not_null(take(a));
	cr_assert_eq(a->released, 1);
	cr_assert_eq(b->released, 1);
}

static uint64_t runs_out(struct tenant *t)
{
	cr_assert_null(bma_cache_alloc_flags(b->cache, BMA_SLEEP));
	cr_assert_eq(errno, EDQUOT);
	cr_assert_null(bma_cache_alloc_flags(t->cache, BMA_SLEEP));
	bma_cache_free(t->cache, t->objs[--t->n]);
	/* There is room now; that is no concern of anybody's. */
	t->objs[t->n++] = bma_cache_alloc_flags(t->cache, BMA_SLEEP);
	bma_cache_free(t->cache, t->objs[--t->n]);
	bma_cache_free(t->cache, t->objs[--t->n]);
	return 0;
}

Test(oom_life, a_release_that_runs_out_is_refused)
{
	crowd();
	a->instead = runs_out;
	cr_assert_not_null(take(b));
	cr_assert_eq(a->released, 1);
	cr_assert_eq(b->released, 0);
	cr_assert_eq(oom_of(top).events, 1);
}

/* No second ends: who is not told waits for ever. */
static int until_told(_Atomic uint32_t *word, uint32_t seen, const struct timespec *timeout)
{
	(void)timeout;
	return bma__os_real.futex_wait(word, seen, NULL);
}

static pthread_t ran_in;

static uint64_t tells_where(struct tenant *t)
{
	ran_in = pthread_self();
	bma_cache_free(t->cache, t->objs[--t->n]);
	return KIB;
}

Test(oom_life, where_it_runs)
{
	crowd();
	a->instead = tells_where;
	bma__os.futex_wait = until_told;
	cr_assert_not_null(take(b));
	bma__os.futex_wait = bma__os_real.futex_wait;
	cr_assert_eq(pthread_equal(ran_in, pthread_self()) != 0, !bma__worker_runs());
	cr_assert_eq(bma_shutdown(), 0);
	cr_assert_not(bma__worker_runs());
	cr_assert_not_null(take(b));
	cr_assert_eq(a->released, 2);
	cr_assert(pthread_equal(ran_in, pthread_self()), "nobody else does");
}

static _Atomic bool destroyed;

static void *destroy_a(void *unused)
{
	(void)unused;
	cr_assert_eq(bma_group_destroy(a->group), 0);
	atomic_store(&destroyed, true);
	return NULL;
}

static void *end_a(void *unused)
{
	(void)unused;
	cr_assert_eq(bma_oom_set_release(a->group, NULL, NULL, 0), 0);
	atomic_store(&destroyed, true);
	return NULL;
}

static void end_while_it_runs(void *(*end)(void *))
{
	pthread_t taker, ender;

	crowd();
	a->instead = waits;
	quick = true;
	pthread_create(&taker, NULL, take_one, b);
	wait_entered(1);
	pthread_create(&ender, NULL, end, NULL);
	bma__os_sleep(50000000);
	cr_assert_not(atomic_load(&destroyed), "it runs still");
	atomic_store(&go, 1);
	pthread_join(ender, NULL);
	pthread_join(taker, NULL);
	cr_assert_eq(a->released, 1);
}

Test(oom_life, who_destroys_a_group_waits_for_its_release)
{
	end_while_it_runs(destroy_a);
}

Test(oom_life, who_ends_a_release_waits_for_it)
{
	end_while_it_runs(end_a);
}

static void *detach_top(void *unused)
{
	(void)unused;
	cr_assert_eq(bma_oom_policy_detach(top), 0);
	atomic_store(&destroyed, true);
	return NULL;
}

Test(oom_life, who_detaches_waits)
{
	pthread_t taker, ender;
	int rc;

	crowd();
	cr_assert_eq(attach(top, "lingers", lingers, NULL), 0);
	pthread_create(&taker, NULL, take_one, b);
	wait_entered(1);
	pthread_create(&ender, NULL, detach_top, NULL);
	/* There is no policy any more for anybody else. */
	while ((rc = attach(top, "next", bma_oom_largest, NULL)) == -EBUSY)
		bma__os_sleep(1000000);
	cr_assert_eq(rc, 0);
	bma__os_sleep(50000000);
	cr_assert_not(atomic_load(&destroyed));
	atomic_store(&go, 1);
	pthread_join(ender, NULL);
	pthread_join(taker, NULL);
	cr_assert_eq(a->released, 1);
}

/* Each ends the other's while both run. */
static enum bma_oom_answer ends_the_other(struct bma_oom *oom, void *ctx)
{
	(void)oom;
	atomic_fetch_add(&entered, 1);
	wait_entered(2);
	cr_assert_eq(bma_oom_policy_detach(ctx), 0);
	return BMA_OOM_NO_POLICY;
}

Test(oom_life, two_policies_that_end_each_other)
{
	struct bma_group *g[2] = {make_limited(NULL, "one", KIB), make_limited(NULL, "two", KIB)};
	pthread_t takers[2];

	for (int i = 0; i < 2; i++) {
		struct tenant *t = tenant(g[i], "t", 0);

		cr_assert_eq(attach(g[i], "ends", ends_the_other, g[!i]), 0);
		fill(t, 1);
		pthread_create(&takers[i], NULL, take_one, t);
	}
	for (int i = 0; i < 2; i++) {
		void *got;

		pthread_join(takers[i], &got);
		cr_assert_not_null(got);
	}
	for (int i = 0; i < 2; i++)
		cr_assert_eq(bma_oom_policy_detach(g[i]), -ENOENT);
}

static _Atomic int lasting;

/* A second is a millisecond from when the release runs, and does not end before. */
static int at_once(_Atomic uint32_t *word, uint32_t seen, const struct timespec *timeout)
{
	const struct timespec ms = {.tv_nsec = 1000000};
	int rc;

	(void)timeout;
	do
		rc = bma__os_real.futex_wait(word, seen, &ms);
	while (rc == -ETIMEDOUT && !atomic_load(&lasting));
	return rc;
}

static uint64_t takes_for_ever(struct tenant *t)
{
	static _Atomic int first;

	if (atomic_fetch_add(&first, 1))
		return 0;
	atomic_store(&lasting, 1);
	return waits(t);
}

/* As if it waited for something that the caller has. */
Test(oom_life, who_waits_gives_up)
{
	crowd();
	if (!bma__worker_runs())
		return;
	a->instead = takes_for_ever;
	b->stubborn = true;
	bma__os.futex_wait = at_once;
	cr_assert_null(take(b));
	cr_assert_eq(errno, EDQUOT);
	cr_assert_eq(atomic_load(&entered), 1);
	cr_assert_eq(oom_of(a->group).useless, 1);
	atomic_store(&go, 1);
	bma__os.futex_wait = bma__os_real.futex_wait;
}

/* The worker is busy with one of these: callers see to the others. */
Test(oom_life, a_busy_worker)
{
	struct bma_group *g = make_limited(NULL, "other", KIB);
	struct tenant *t = tenant(g, "t", 0);
	pthread_t taker;

	crowd();
	if (!bma__worker_runs())
		return;
	fill(t, 1);
	a->instead = waits;
	quick = true;
	pthread_create(&taker, NULL, take_one, b);
	wait_entered(1);
	cr_assert_not_null(take(t), "it was run here");
	cr_assert_eq(t->released, 1);
	atomic_store(&go, 1);
	pthread_join(taker, NULL);
}

/* How many have the release of @t in hand. */
static uint32_t pins_of(const struct tenant *t)
{
	uint32_t pins;

	bma__tree_lock();
	pins = in(t->group)->oom->release->hook.pins;
	bma__tree_unlock();
	return pins;
}

/* It stands in the queue behind another one when its group goes. */
Test(oom_life, a_group_is_destroyed_before_its_release_runs)
{
	struct bma_group *g = make_limited(NULL, "other", KIB);
	struct tenant *t, *victim;
	pthread_t taker, other;
	void *got;

	crowd();
	if (!bma__worker_runs())
		return;
	t = tenant(g, "t", 0);
	victim = tenant(g, "victim", 0);
	fill(t, 1);
	cr_assert_eq(bma_oom_prefer(g, (struct bma_group *[]){victim->group}, 1, -1), 0);
	t->stubborn = true;
	bma_oom_set_release(t->group, NULL, NULL, 0);
	a->instead = waits;
	quick = true;
	bma__os.futex_wait = until_told;
	pthread_create(&taker, NULL, take_one, b);
	wait_entered(1);
	pthread_create(&other, NULL, take_one, t);
	while (!pins_of(victim))
		bma__os_sleep(1000000);
	cr_assert_eq(bma_cache_destroy(victim->cache), 0);
	cr_assert_eq(bma_group_destroy(victim->group), 0);
	pthread_join(other, &got);
	cr_assert_null(got, "nothing came");
	bma__os.futex_wait = bma__os_real.futex_wait;
	cr_assert_eq(victim->released, 0);
	atomic_store(&go, 1);
	pthread_join(taker, NULL);
}

/* Two that want the same one wait for the same run. */
Test(oom_life, one_run_for_all)
{
	struct bma_group *inner;
	pthread_t takers[2];
	struct tenant *low;
	uint32_t pins;

	top = make_limited(NULL, "top", 16 * KIB);
	inner = make_limited(top, "inner", 8 * KIB);
	low = tenant(inner, "low", 0);
	b = tenant(top, "b", BMA_OOM_SCORE_MIN);
	fill(low, 8);
	fill(b, 8);
	low->instead = waits;
	quick = true;
	pthread_create(&takers[0], NULL, take_one, low); /* inner runs out */
	wait_entered(1);
	pins = pins_of(low);
	pthread_create(&takers[1], NULL, take_one, b); /* and top */
	while (pins_of(low) == pins)
		bma__os_sleep(1000000);
	bma__os_sleep(50000000);
	cr_assert_eq(low->released, 1);
	atomic_store(&go, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(takers[i], NULL);
	cr_assert_eq(low->released, 1);
	cr_assert_eq(b->released, 0);
	cr_assert_eq(oom_of(low->group).chosen, 2);
}

/* One event makes room for all that wait. */
Test(oom_life, one_at_a_time)
{
	pthread_t takers[8];

	crowd();
	a->instead = NULL;
	cr_assert_eq(attach(top, "slow", lingers, NULL), 0);
	for (int i = 0; i < 8; i++)
		pthread_create(&takers[i], NULL, take_one, b);
	wait_entered(1);
	bma__os_sleep(20000000);
	atomic_store(&go, 1);
	for (int i = 0; i < 8; i++) {
		void *got;

		pthread_join(takers[i], &got);
		cr_assert_not_null(got);
	}
	cr_assert_eq(atomic_load(&entered), 1);
	cr_assert_eq(oom_of(top).events, 1);
	cr_assert_eq(a->released, 1);
}

Test(oom_life, the_group_that_ran_out_is_destroyed_meanwhile)
{
	struct bma_group *g = make_limited(NULL, "g", KIB);
	struct tenant t = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	pthread_t taker;
	void *got;

	t.cache = cache_of(g, KIB);
	cr_assert_eq(attach(bma_group_root(), "lingers", lingers, NULL), 0);
	fill(&t, 1);
	pthread_create(&taker, NULL, take_one, &t);
	wait_entered(1);
	cr_assert_eq(bma_group_destroy(g), 0);
	atomic_store(&go, 1);
	pthread_join(taker, &got);
	cr_assert_not_null(got, "its limit is gone");
	cr_assert_eq(bma_oom_policy_detach(bma_group_root()), 0);
}

/* More candidates than there are places without memory. */
static int maps;

static void *no_map(size_t bytes)
{
	(void)bytes;
	maps++;
	return NULL;
}

Test(oom_life, without_memory_for_candidates)
{
	top = make_limited(NULL, "top", 32 * KIB);
	a = tenant(top, "a", 0);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(bma_oom_set_release(make(top, NULL), tenant_release, a, 0), 0);
	b = tenant(top, "b", 0);
	fill(b, 32);
	bma__os.map = no_map;
	cr_assert_not_null(take(b));
	bma__os.map = bma__os_real.map;
	cr_assert_eq(b->released, 1);
	cr_assert_gt(maps, 0);
}

static int refuse_rseq(void *area, uint32_t length, int flags, uint32_t signature)
{
	(void)area, (void)length, (void)flags, (void)signature;
	return -EPERM;
}

static enum bma_oom_answer allocates_large(struct bma_oom *oom, void *ctx)
{
	(void)oom, (void)ctx;
	cr_assert_null(bma_heap_alloc_flags(bma_heap_global(), 5 << 20, BMA_SLEEP));
	cr_assert_null(bma_cache_alloc_flags(ctx, 0));
	return BMA_OOM_NO_POLICY;
}

/* What the slot does not have is refused, also where the kernel says no. */
Test(oom_life, a_kernel_that_does_not_unregister)
{
	struct bma_cache *empty = cache_of(bma_group_root(), 512);

	crowd();
	bma_heap_global();
	cr_assert_eq(attach(top, "large", allocates_large, empty), 0);
	bma__os.rseq = refuse_rseq;
	cr_assert_not_null(take(b));
	bma__os.rseq = bma__os_real.rseq;
	cr_assert_eq(oom_of(top).violations, 2);
}

#define THOUSANDS 3000

static _Atomic int handled;

static enum bma_oom_answer handles(struct bma_oom *oom, void *ctx)
{
	enum bma_oom_answer answer = bma_oom_largest(oom, ctx);

	/* The one of two that is the smaller. */
	if (atomic_fetch_add(&handled, 1) % 2)
		bma_oom_select(oom, a->n < b->n && a->n ? a->group : b->group);
	return answer;
}

static void *press(void *t)
{
	while (atomic_load(&handled) < THOUSANDS)
		take(t);
	return NULL;
}

static void *come_and_go(void *unused)
{
	(void)unused;
	while (atomic_load(&handled) < THOUSANDS) {
		struct bma_group *g = make(top, NULL);

		cr_assert_eq(bma_oom_set_release(g, tenant_release, a, 0), 0);
		bma_oom_prefer(top, &g, 1, -1);
		attach(top, "handles", handles, NULL);
		bma__os_sleep(1000000);
		if (atomic_load(&handled) % 8 == 0)
			bma_oom_policy_detach(top);
		cr_assert_eq(bma_group_destroy(g), 0);
	}
	return NULL;
}

/* stress.oom does that for longer, and at random. */
Test(oom_life, the_oom_handler_under_heavy_pressure_called_thousands_of_times, .timeout = 120)
{
	pthread_t t[5];

	crowd();
	a->at_a_time = b->at_a_time = 2;
	for (int i = 0; i < 5; i++)
		pthread_create(&t[i], NULL, i == 4 ? come_and_go : press, i % 2 ? a : b);
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	cr_assert_geq(atomic_load(&handled), THOUSANDS);
	cr_assert_geq(oom_of(top).asked, THOUSANDS);
	cr_assert_leq(stat_of(top).current, 32 * KIB);
	cr_assert_eq(bma_oom_set_release(a->group, NULL, NULL, 0), 0);
	cr_assert_eq(bma_oom_set_release(b->group, NULL, NULL, 0), 0);
}
