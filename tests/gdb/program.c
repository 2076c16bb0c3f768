/* SPDX-License-Identifier: MIT */
/*
 * A program that has an object in each state and then ends by abort(): what tools/gdb/bma.py says of them, while it is stopped
 * there and in its core file, is looked at by run.sh. Objects are global, so that a debugger finds them by name.
 */
#include <bma/bma.h>

#include <stdlib.h>

#include "test.h"

#define N 400 /* more than a magazine */

struct bma_cache *cache;
char *live, *freed, *in_depot, *in_limbo, *is_sealed, *fresh, *at_home;
char *tracked, *grouped, *percpu_copy, *large_object, *guarded, *in_quarantine, *profiled, *here;

static char *take(struct bma_cache *from)
{
	char *obj = bma_cache_alloc_flags(from, BMA_SLEEP);

	CHECK(obj, "an object");
	return obj;
}

static struct bma_cache *make(const char *name, uint64_t flags, struct bma_group *group)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr),
				      .name = name,
				      .size = 64,
				      .flags = flags,
				      .group = group};
	struct bma_cache *made = bma_cache_create(&attr);

	CHECK(made, name);
	return made;
}

static void cached(void)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof(attr), .name = "singles", .size = 64, .batch = 1};
	struct bma_cache *single = bma_cache_create(&attr); /* nothing stays in a slot */
	char *objs[4 * N];

	CHECK(single, "singles");
	in_depot = take(single);
	bma_cache_free(single, in_depot);

	for (int i = 0; i < 4 * N; i++)
		objs[i] = take(cache);
	live = objs[1];
	for (int i = 0; i < 4 * N; i++) {
		if (i != 1)
			bma_cache_free(cache, objs[i]);
	}
	freed = objs[4 * N - 1];
	/* The last one of the slab that was begun last. */
	fresh = (char *)(((uintptr_t)freed | 65535) - 63);
}

/* Before all others, for it brings home whatever is cached; and after the polls, which refill depots. */
static void brought_home(void)
{
	struct bma_cache *from = make("homes", 0, NULL);
	char *objs[N];

	for (int i = 0; i < N; i++)
		objs[i] = take(from);
	at_home = objs[100];
	for (int i = 0; i < N; i++) {
		if (i != 99)
			bma_cache_free(from, objs[i]);
	}
	CHECK(!bma_trim(), "trim");
}

static void deferred(void)
{
	struct bma_cache *other = make("connections", 0, NULL);
	char *objs[N];

	for (int i = 0; i < N; i++)
		objs[i] = take(other);
	for (int i = 0; i < N; i++)
		bma_cache_free_rcu(other, objs[i]);
	is_sealed = objs[0];
	in_limbo = objs[N - 1];
}

__attribute__((noinline)) char *allocates_a_request(struct bma_cache *from)
{
	char *obj = take(from);

	obj[0] = 1;
	return obj;
}

static void odd_ones(void)
{
	struct bma_group_attr attr = {.attr_size = sizeof(attr), .name = "web"};
	struct bma_group *group = bma_group_create(NULL, &attr);
	struct bma_heap_attr percpu = {
		.attr_size = sizeof(percpu), .name = "counters", .flags = BMA_HEAP_PERCPU};
	struct bma_heap *heap = bma_heap_create(&percpu);

	CHECK(group && heap, "a group and a heap");
	tracked = allocates_a_request(make("requests", BMA_CACHE_TRACK, NULL));
	grouped = take(make("tenants", BMA_CACHE_MERGE, group));
	make("others", BMA_CACHE_MERGE, group);
	percpu_copy = bma_heap_alloc_flags(heap, 64, BMA_SLEEP);
	CHECK(percpu_copy, "a per-CPU object");
	percpu_copy = bma_per_cpu_ptr(percpu_copy, 1);
	large_object = bma_heap_alloc_flags(bma_heap_global(), (size_t)9 << 20, BMA_SLEEP);
	CHECK(large_object, "a large object");
}

__attribute__((noinline)) char *allocates_a_session(struct bma_cache *from)
{
	char *obj = take(from);

	obj[0] = 1;
	return obj;
}

static void looked_at(void)
{
	struct bma_cache *checked = make("checked", BMA_CACHE_DEBUG | BMA_CACHE_QUARANTINE, NULL);

	in_quarantine = take(checked);
	bma_cache_free(checked, in_quarantine);
	CHECK(!bma_profile_set(1), "profile");
	profiled = allocates_a_session(make("profiled", 0, NULL));
}

/* Gates are opened by bma_poll(), once in a while. A guarded object is of no node. */
static void sampled(void)
{
	struct bma_cache *from = make("samples", BMA_CACHE_SAMPLE, NULL);

	while (!guarded) {
		char *obj = take(from);

		bma_poll(0);
		if (bma_numa_node_of(obj) < 0)
			guarded = obj;
	}
}

int main(void)
{
	char on_stack;

	setenv("BMA_CONF", "worker:off,sample_ms:1", 1);
	sampled();
	brought_home();
	cache = make("sessions", 0, NULL);
	cached();
	deferred();
	odd_ones();
	looked_at();
	here = &on_stack;
	abort();
}
