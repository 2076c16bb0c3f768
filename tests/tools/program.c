/* SPDX-License-Identifier: MIT */
/*
 * A program that is built with AddressSanitizer or MemorySanitizer, or runs under memcheck, and does one thing right or wrong with objects of
 * a cache: program NAME. The library is not instrumented, as it is when it comes from a package, but for MemorySanitizer.
 */
#include <bma/bma.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bma_cache *cache;

static void *taken(void)
{
	return bma_cache_alloc_flags(cache, BMA_SLEEP);
}

/* The compiler must not know what comes of it. */
static int look(const volatile char *at)
{
	return *at;
}

/* All that may be done with objects, by every way they take. */
static int good(void)
{
	char *objs[2000];

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 2000; i++) {
			objs[i] = taken();
			memset(objs[i], round, 64);
		}
		for (int i = 0; i < 2000; i++) {
			if (i % 2)
				bma_cache_free(cache, objs[i]);
			else
				bma_cache_free_rcu(cache, objs[i]);
			/* Readers may still look at what was deferred. */
			if (i % 2 == 0 && i < 100 && look(objs[i]) != round)
				return 1;
		}
		if (bma_rcu_barrier(cache) || bma_trim())
			return 1;
	}
	return bma_cache_destroy(cache);
}

static void construct(void *obj, void *ctx)
{
	(void)ctx;
	memset(obj, 7, 64);
}

static void destruct(void *obj, void *ctx)
{
	(void)ctx;
	if (look((char *)obj + 63) != 7)
		abort();
}

static int constructed(void)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof(attr), .size = 64, .ctor = construct, .dtor = destruct};
	struct bma_cache *other = bma_cache_create(&attr);
	char *obj = bma_cache_alloc_flags(other, BMA_SLEEP);

	if (look(obj) != 7)
		return 1;
	bma_cache_free(other, obj);
	return bma_cache_destroy(other);
}

static int after_free(void)
{
	char *obj = taken();

	bma_cache_free(cache, obj);
	return look(obj);
}

static int after_grace_period(void)
{
	char *obj = taken();

	bma_cache_free_rcu(cache, obj);
	bma_rcu_barrier(cache);
	return look(obj);
}

static int behind(void)
{
	char *obj = taken();

	return look(obj + 64);
}

static int write_behind(void)
{
	char *obj = taken();

	*(volatile char *)(obj + 64) = 1;
	return 0;
}

static int never_taken(void)
{
	char *obj = taken();

	return look(obj + 4096);
}

/* Reads what nobody wrote. */
static int uninitialised_at(const char *obj)
{
	if (look(obj))
		puts("one");
	return 0;
}

static int uninitialised(void)
{
	return uninitialised_at(taken());
}

/* What its last user wrote is nobody's writing. */
static int recycled(void)
{
	char *obj = taken(), *other = obj;

	memset(obj, 7, 64);
	bma_cache_free(cache, obj);
	for (int i = 0; i < 100000; i++) {
		other = taken();
		if (other == obj)
			return uninitialised_at(obj);
		memset(other, 7, 64);
		bma_cache_free(cache, other);
	}
	return 1;
}

/* The library wrote it. */
static int zeroed(void)
{
	return look(bma_cache_alloc_flags(cache, BMA_SLEEP | BMA_ZERO));
}

/* Per-CPU objects may be used: nobody tells the tools of them one by one. */
static int percpu(void)
{
	struct bma_heap_attr attr = {
		.attr_size = sizeof(attr), .name = "percpu", .flags = BMA_HEAP_PERCPU};
	struct bma_heap *heap = bma_heap_create(&attr);
	char *obj = bma_heap_alloc_flags(heap, 64, BMA_SLEEP);

	for (uint64_t i = 0; i < bma_percpu_copies(); i++)
		((volatile char *)bma_per_cpu_ptr(obj, i))[63] = 1;
	if (look(obj) || look(obj + 63) != 1)
		return 1;
	bma_heap_free(heap, obj);
	return bma_heap_destroy(heap);
}

/* What an object points to is not lost. */
static void *volatile root;

static int points(void)
{
	void **obj = taken();

	*obj = malloc(100);
	root = obj;
	return 0;
}

/* memcheck looks for none if nothing is on the heap. */
static void *volatile block;
static void *volatile objects[4000];

static __attribute__((noinline)) void take_some(int n)
{
	for (int i = 0; i < n; i++)
		objects[i] = taken();
}

static __attribute__((noinline)) void free_some(int n)
{
	for (int i = 0; i < n; i++) {
		bma_cache_free(cache, objects[i]);
		objects[i] = NULL;
	}
}

/* Objects that somebody has are not lost, also where all else was freed and brought home. */
static int kept(void)
{
	block = malloc(10);
	take_some(400);
	free_some(200);
	return bma_trim();
}

/* No pointer to it is left: neither where it was taken from, nor where it has been before. */
static __attribute__((noinline)) void lose(void)
{
	take_some(4000);
	free_some(4000);
	bma_trim();
	for (int round = 0; round < 3; round++) {
		take_some(200);
		if (round < 2)
			free_some(200);
	}
	for (int i = 0; i < 200; i++)
		objects[i] = NULL;
}

static __attribute__((noinline)) void clean_stack(void)
{
	volatile char stack[4096];

	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = 0;
}

static int lost(void)
{
	block = malloc(10);
	lose();
	clean_stack();
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} cases[] = {
	{"good", good},
	{"constructed", constructed},
	{"after_free", after_free},
	{"after_grace_period", after_grace_period},
	{"behind", behind},
	{"write_behind", write_behind},
	{"never_taken", never_taken},
	{"uninitialised", uninitialised},
	{"recycled", recycled},
	{"zeroed", zeroed},
	{"percpu", percpu},
	{"points", points},
	{"kept", kept},
	{"lost", lost},
};

int main(int argc, char **argv)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .name = "cache", .size = 64};

	cache = bma_cache_create(&attr);
	for (size_t i = 0; cache && argc == 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!strcmp(cases[i].name, argv[1]))
			return cases[i].run();
	}
	return 2;
}
