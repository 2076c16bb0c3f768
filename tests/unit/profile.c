/* SPDX-License-Identifier: MIT */
/* The heap profile: what is sampled, what it stands for, and that every free is seen. */
#include "profile.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#define N 500

/* Of one cache, or of all. */
struct sum {
	const char *name;
	uint64_t samples, bytes, stands;
	uint64_t from, to; /* some address of each stack is between these */
	bool elsewhere;
};

static void add(const struct bma__profile_sample *s, void *arg)
{
	struct sum *sum = arg;
	bool inside = !sum->to;

	if (sum->name && strcmp(sum->name, s->name))
		return;
	sum->samples++;
	sum->bytes += s->bytes;
	sum->stands += s->stands;
	for (uint64_t i = 0; i < s->n; i++)
		inside |= s->pc[i] > sum->from && s->pc[i] < sum->to;
	sum->elsewhere |= !inside;
}

static struct sum sum_of(const char *name)
{
	struct sum sum = {.name = name};

	bma__profile_visit(add, &sum);
	return sum;
}

static uint64_t samples(void)
{
	return sum_of(NULL).samples;
}

Test(profile, logarithms_and_chances)
{
	static const struct {
		double x, log, chance;
	} known[] = {
		{1e-6, 13.815510557964274, 9.9999950000016668e-7},
		{0.001, 6.9077552789821368, 0.00099950016662500833},
		{0.1, 2.3025850929940455, 0.095162581964040427},
		{0.5, 0.69314718055994531, 0.39346934028736658},
		{0.75, 0.2876820724517809, 0.52763344725898531},
		{1, 0, 0.63212055882855767},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		double log = bma__profile_minus_log(known[i].x) - known[i].log;
		double chance = bma__profile_chance(known[i].x) / known[i].chance;

		cr_assert(log < 1e-5 && log > -1e-5, "%g", known[i].x);
		cr_assert(chance < 1 + 1e-5 && chance > 1 - 1e-5, "%g", known[i].x);
	}
	cr_assert(bma__profile_chance(5) > 0.99326 && bma__profile_chance(5) < 0.99327);
	cr_assert(bma__profile_chance(1000) == 1);
}

Test(profile, off_it_costs_nothing_and_sees_nothing)
{
	struct bma_cache *c = cache_with("off", 64, 0, NULL), *merged;
	void *obj;

	cr_assert_eq(c->head.mask, c->engine->head.mask);
	cr_assert_neq(c->head.mask, 0);
	start(1);
	obj = bma_cache_alloc_flags(c, BMA_SLEEP);
	cr_assert_eq(samples(), 0);
	bma_cache_free(c, obj);
	cr_assert_eq(c->head.mask, c->engine->head.mask);
	/* What was made before does not share with what is made now. */
	merged = cache_with("on", 64, BMA_CACHE_MERGE, NULL);
	cr_assert_eq(merged->head.mask, 0);
	cr_assert_eq(bma_profile_set(0), 0);
	obj = bma_cache_alloc_flags(merged, BMA_SLEEP);
	cr_assert_eq(samples(), 0);
	bma_cache_free(merged, obj);
	cr_assert_eq(bma_profile_set(BMA_PROFILE_BYTES_MAX + 1), -EINVAL);
}

/* Each way to get one and each way to give it back: with a mean of a byte all of them are sampled but for one in thousands. */
static void *taken[N];

static void take_by(struct bma_cache *c)
{
	struct bma_reserve *r = bma_reserve_create(c, N / 4);

	cr_assert_not_null(r);
	cr_assert_eq(samples(), 0, "what is in reserve is nobody's");
	for (int i = 0; i < N; i++) {
		switch (i % 4) {
		case 0:
			taken[i] = bma_reserve_alloc(r);
			break;
		case 1:
			taken[i] = bma_cache_alloc(c);
			break;
		case 2:
			cr_assert_eq(bma_cache_alloc_bulk(c, &taken[i], 1, BMA_SLEEP), 1);
			break;
		default:
			taken[i] = bma_cache_alloc_node(c, BMA_THIS_NODE, BMA_SLEEP);
		}
		if (!taken[i])
			taken[i] = bma_cache_alloc_flags(c, BMA_SLEEP | BMA_ZERO);
		cr_assert_not_null(taken[i]);
	}
	bma_reserve_destroy(r);
}

static void give_by(struct bma_cache *c)
{
	for (int i = 0; i < N; i++) {
		switch (i / 4 % 4) {
		case 0:
			bma_cache_free(c, taken[i]);
			break;
		case 1:
			bma_cache_free_rcu(c, taken[i]);
			break;
		case 2:
			bma_cache_free_bulk(c, &taken[i], 1);
			break;
		default:
			cr_assert_eq(bma_cache_free_rcu_flags(c, taken[i], BMA_SLEEP), 0);
		}
	}
}

static void all_ways(struct bma_cache *c, const char *name, uint64_t bytes)
{
	for (int round = 0; round < 3; round++) {
		struct sum sum;

		take_by(c);
		/* Reserves have no handle: what comes from them is under the engine's name. */
		cr_assert_geq(sum_of(name).samples, N / 2);
		sum = sum_of(NULL);
		cr_assert_geq(sum.samples, N - 5, "%s: %llu", name,
			      (unsigned long long)sum.samples);
		cr_assert_leq(sum.samples, N);
		cr_assert_eq(sum.bytes, sum.samples * bytes);
		give_by(c);
		cr_assert_eq(samples(), 0, "%s: %llu are left", name,
			     (unsigned long long)samples());
		cr_assert_eq(bma_rcu_barrier(c), 0);
	}
	cr_assert_eq(bma_cache_destroy(c), 0);
}

Test(profile, private_caches)
{
	start(1);
	all_ways(cache_with("private", 64, 0, NULL), "private", 64);
	all_ways(cache_with("large", 100000, 0, NULL), "large", 100000);
}

Test(profile, checked_caches)
{
	start(1);
	all_ways(cache_with("checked", 64, BMA_CACHE_DEBUG | BMA_CACHE_REDZONE, NULL), "checked",
		 80);
	all_ways(cache_with("keyed", 64, BMA_CACHE_KEY, NULL), "keyed", 64);
}

Test(profile, merged_caches)
{
	start(1);
	cr_assert_not_null(cache_with("other", 64, BMA_CACHE_MERGE, NULL));
	all_ways(cache_with("merged", 64, BMA_CACHE_MERGE | BMA_CACHE_COUNT, NULL), "merged", 64);
}

Test(profile, caches_whose_objects_have_owners)
{
	struct bma_group *group = bma_group_create(NULL, NULL);

	start(1);
	cr_assert_not_null(group);
	all_ways(cache_with("owned", 64, BMA_CACHE_MERGE, group), "owned", 64);
}

Test(profile, sampled_guard_pages)
{
	start(1);
	struct bma_cache *c = cache_with("guarded", 64, BMA_CACHE_SAMPLE, NULL);
	void *obj;

	bma__sample_open(c->engine);
	obj = bma_cache_alloc_flags(c, BMA_SLEEP);
	cr_assert(bma__sample_has(obj));
	cr_assert_eq(samples(), 1);
	bma_cache_free(c, obj);
	cr_assert_eq(samples(), 0);
	cr_assert_eq(c->head.mask, 0);
	/* A gate that is shut leaves the calls where the profile sees them. */
	for (int i = 0; i < 100; i++)
		bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	cr_assert_eq(c->head.mask, 0);
}

Test(profile, heaps)
{
	static const size_t sizes[] = {8, 100, 4000, 32768, 1 << 20, 9 << 20};
	struct bma_heap_attr a = {.attr_size = sizeof a, .name = "mine", .flags = BMA_HEAP_PRIVATE};
	struct bma_heap *heap[2];
	void *ptr[6];

	start(1);
	heap[0] = bma_heap_create(&a);
	heap[1] = bma_heap_global();
	for (int h = 0; h < 2; h++) {
		for (int round = 0; round < 4; round++) {
			for (int i = 0; i < 6; i++) {
				ptr[i] = bma_heap_alloc_flags(heap[h], sizes[i], BMA_SLEEP);
				cr_assert_not_null(ptr[i]);
			}
			cr_assert_eq(samples(), 6, "%llu", (unsigned long long)samples());
			for (int i = 0; i < 6; i++) {
				if (round % 2)
					bma_heap_free(heap[h], ptr[i]);
				else if (round / 2)
					bma_heap_free_rcu(heap[h], ptr[i]);
				else
					bma_heap_free_sized(heap[h], ptr[i], sizes[i]);
			}
			cr_assert_eq(samples(), 0);
		}
	}
	cr_assert_eq(bma_heap_destroy(heap[0]), 0);
}

Test(profile, percpu_objects_count_with_their_copies)
{
	struct bma_heap_attr a = {
		.attr_size = sizeof a, .name = "counters", .flags = BMA_HEAP_PERCPU};
	struct bma_heap *heap;
	void *obj;

	start(1);
	heap = bma_heap_create(&a);
	cr_assert_not_null(heap);
	obj = bma_heap_alloc_flags(heap, 64, BMA_SLEEP);
	cr_assert_eq(sum_of(NULL).bytes, 64 * bma_percpu_copies());
	bma_heap_free(heap, obj);
	cr_assert_eq(samples(), 0);
}

Test(profile, objects_that_end_with_their_heap)
{
	struct bma_heap_attr a = {
		.attr_size = sizeof a, .name = "arena", .flags = BMA_HEAP_DESTROY_ALL};
	struct bma_heap *heap;

	start(1);
	heap = bma_heap_create(&a);
	cr_assert_not_null(heap);
	for (int i = 0; i < 100; i++)
		cr_assert_not_null(bma_heap_alloc_flags(heap, 64, BMA_SLEEP));
	cr_assert_not_null(bma_heap_alloc_flags(heap, 9 << 20, BMA_SLEEP));
	cr_assert_geq(samples(), 99);
	cr_assert_eq(bma_heap_destroy(heap), 0);
	cr_assert_eq(samples(), 0);
}

/* Small and large ones, in a pattern: what the samples stand for is what is live, of each. Five times the deviation is allowed. */
Test(profile, an_unbiased_estimate)
{
	enum { SMALL = 40000, LARGE = 3000, MEAN = 8192 };
	static void *small[SMALL], *large[LARGE];
	struct bma_cache *s, *l;
	struct sum sum;
	double ratio;

	start(MEAN);
	s = cache_with("small", 64, 0, NULL);
	l = cache_with("big", 2048, 0, NULL);
	for (int i = 0; i < SMALL; i++) {
		small[i] = bma_cache_alloc_flags(s, BMA_SLEEP);
		if (i % (SMALL / LARGE) == 0 && i / (SMALL / LARGE) < LARGE)
			large[i / (SMALL / LARGE)] = bma_cache_alloc_flags(l, BMA_SLEEP);
		/* These live for a moment. */
		bma_cache_free(s, bma_cache_alloc_flags(s, BMA_SLEEP));
	}
	sum = sum_of("small");
	ratio = (double)sum.stands / (64.0 * SMALL);
	/* 312 samples. */
	cr_assert(ratio > 0.72 && ratio < 1.28, "small: %g of %llu samples", ratio,
		  (unsigned long long)sum.samples);
	sum = sum_of("big");
	ratio = (double)sum.stands / (2048.0 * LARGE);
	/* 663 samples of 3000. */
	cr_assert(ratio > 0.83 && ratio < 1.17, "big: %g of %llu samples", ratio,
		  (unsigned long long)sum.samples);
	for (int i = 0; i < SMALL; i++)
		bma_cache_free(s, small[i]);
	for (int i = 0; i < LARGE; i++)
		bma_cache_free(l, large[i]);
	cr_assert_eq(samples(), 0);
}

static __attribute__((noinline)) void *allocate_a_request(struct bma_cache *c)
{
	void *volatile obj = bma_cache_alloc_flags(c, BMA_SLEEP);

	return obj;
}

Test(profile, the_stack_is_that_of_the_allocation)
{
	struct bma_cache *c;
	struct sum sum = {.from = (uintptr_t)allocate_a_request,
			  .to = (uintptr_t)allocate_a_request + 256};

	start(1);
	c = cache_with("requests", 64, 0, NULL);
	for (int i = 0; i < 10; i++)
		allocate_a_request(c);
	bma__profile_visit(add, &sum);
	cr_assert_eq(sum.samples, 10);
	cr_assert_not(sum.elsewhere);
}

/* One object, one place, two functions in turn. Each in a section of its own, so that their addresses are known. */
#define DEPTH 16
#define IN(name) __attribute__((noinline, section(name)))
extern const char __start_profile_even[], __stop_profile_even[];
extern const char __start_profile_odd[], __stop_profile_odd[];

IN("profile_even") static void *even(struct bma_cache *c, int depth)
{
	void *volatile obj = depth ? even(c, depth - 1) : bma_cache_alloc_flags(c, BMA_SLEEP);

	return obj;
}

IN("profile_odd") static void *odd(struct bma_cache *c, int depth)
{
	void *volatile obj = depth ? odd(c, depth - 1) : bma_cache_alloc_flags(c, BMA_SLEEP);

	return obj;
}

static _Atomic bool stop;
static uint64_t looked, torn;

/* About as long as a sample takes to be written. */
static void hold_and_free(struct bma_cache *c, void *obj)
{
	uint64_t begun = bma__os_now();

	while (bma__os_now() - begun < 3000)
		;
	bma_cache_free(c, obj);
}

static void *churn(void *cache)
{
	while (!stop) {
		hold_and_free(cache, even(cache, DEPTH));
		hold_and_free(cache, odd(cache, DEPTH));
	}
	return NULL;
}

static void look(const struct bma__profile_sample *s, void *arg)
{
	bool is_even = false, is_odd = false;

	(void)arg;
	for (uint64_t i = 0; i < s->n; i++) {
		is_even |= s->pc[i] > (uintptr_t)__start_profile_even &&
			   s->pc[i] <= (uintptr_t)__stop_profile_even;
		is_odd |= s->pc[i] > (uintptr_t)__start_profile_odd &&
			  s->pc[i] <= (uintptr_t)__stop_profile_odd;
	}
	looked += is_even | is_odd;
	torn += is_even & is_odd;
}

/* Stops who reads for as long as a sample takes to be written. */
static void stall(int sig)
{
	uint64_t begun = bma__os_now();

	(void)sig;
	while (bma__os_now() - begun < 20000)
		;
}

Test(profile, a_half_written_sample_is_not_shown)
{
	struct itimerval often = {{0, 60}, {0, 60}}, never = {{0, 0}, {0, 0}};
	struct bma_cache *c;
	sigset_t alarms;
	pthread_t thread;
	uint64_t begun;

	start(1);
	c = cache_with("turns", 64, 0, NULL);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	cr_assert_eq(pthread_create(&thread, NULL, churn, c), 0);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	signal(SIGALRM, stall);
	setitimer(ITIMER_REAL, &often, NULL);
	begun = bma__os_now();
	while (bma__os_now() - begun < 2000000000)
		bma__profile_visit(look, NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	stop = true;
	pthread_join(thread, NULL);
	cr_assert_gt(looked, 0);
	cr_assert_eq(torn, 0, "%llu of %llu", (unsigned long long)torn, (unsigned long long)looked);
}

/* More than there is room for: what is left out is counted, and what is there is freed. */
Test(profile, a_full_table)
{
	enum { MANY = 60000 };
	static void *objs[MANY];
	struct bma_cache *c;

	start(1);
	c = cache_with("many", 16, 0, NULL);
	for (int i = 0; i < MANY; i++)
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	cr_assert_gt(bma__profile_dropped(), 0);
	cr_assert_gt(samples(), 20000);
	cr_assert_geq(samples() + bma__profile_dropped(), MANY - 100);
	for (int i = 0; i < MANY; i++)
		bma_cache_free(c, objs[i]);
	cr_assert_eq(samples(), 0);
}

static void *(*really_map)(size_t bytes);
static int maps_left;

static void *map_some(size_t bytes)
{
	return maps_left-- > 0 ? really_map(bytes) : NULL;
}

Test(profile, without_memory_it_stays_off)
{
	struct bma_cache *c = cache_with("before", 64, 0, NULL);

	really_map = bma__os.map;
	bma__os.map = map_some;
	for (int maps = 0; maps < 2; maps++) {
		maps_left = maps;
		cr_assert_eq(bma_profile_set(1), -ENOMEM);
		cr_assert_eq(bma__profile_mean, 0);
	}
	bma__os.map = really_map;
	bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
	cr_assert_eq(bma_profile_set(1), 0);
	cr_assert_not_null(bma_cache_alloc_flags(cache_with("after", 64, 0, NULL), BMA_SLEEP));
	cr_assert_eq(samples(), 1);
}

Test(profile, a_child_of_fork_goes_on)
{
	struct bma_cache *c;
	void *objs[10];
	int status;
	pid_t child;

	start(1);
	c = cache_with("forked", 64, 0, NULL);
	for (int i = 0; i < 10; i++)
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	child = fork();
	if (!child) {
		bool right = samples() == 10;

		for (int i = 0; i < 10; i++)
			bma_cache_free(c, objs[i]);
		right &= samples() == 0;
		right &= bma_cache_alloc_flags(c, BMA_SLEEP) && samples() == 1;
		_exit(right ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	cr_assert_eq(samples(), 10);
}

Test(profile, the_environment_switches_it_on)
{
	setenv("BMA_CONF", "worker:off,profile:1", 1);
	cr_assert_not_null(bma_cache_alloc_flags(cache_with("env", 64, 0, NULL), BMA_SLEEP));
	cr_assert_eq(sum_of("env").samples, 1);
}
