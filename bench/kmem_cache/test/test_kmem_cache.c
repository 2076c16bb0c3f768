/* SPDX-License-Identifier: MIT */
/*
 * Tests of the slab cache: what one thread sees, frees on other CPUs, and double hand-outs under
 * load. After each, no slab may be left. Takes about two seconds.
 */
#include "../kmem_cache.h"
#include "check.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MANY 2000
#define THREADS 4
#define HELD 300
#define RUN_MS 300
/* How often a thread is interrupted, at most. */
#define INTERRUPT_NS 15000

static struct kmem_cache *create(size_t size, size_t align)
{
	struct kmem_cache *s = kmem_cache_create("test", size, align);

	CHECK(s);
	return s;
}

/* Nothing is live: then nothing may be left. */
static void finish(struct kmem_cache *s)
{
	kmem_cache_shrink(s);
	CHECK(kmem_cache_stats_get(s).slabs == 0);
	CHECK(kmem_cache_destroy(s) == 0);
}

/* Each object is filled to its last byte with a pattern of its own, which shows any overlap. */
static void one_size(size_t size, size_t align)
{
	static unsigned char *p[MANY];
	struct kmem_cache *s = create(size, align);
	struct kmem_cache_stats stats;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < MANY; i++) {
			p[i] = kmem_cache_alloc(s);
			CHECK(p[i]);
			CHECK((uintptr_t)p[i] % (align ? align : sizeof(void *)) == 0);
			memset(p[i], (int)(i % 251), size);
			memcpy(p[i], &i, sizeof(i));
		}
		stats = kmem_cache_stats_get(s);
		CHECK(stats.slabs * stats.objects_per_slab >= MANY);
		CHECK(stats.objects_per_slab * stats.object_size <= stats.slab_bytes);
		for (size_t n = 0; n < MANY; n++) {
			size_t i = n * 7 % MANY;

			CHECK(!memcmp(p[i], &i, sizeof(i)));
			for (size_t at = sizeof(i); at < size; at++)
				CHECK(p[i][at] == i % 251);
			kmem_cache_free(s, p[i]);
		}
	}
	/* Without being asked it keeps some, but not what 2000 objects took. */
	if (stats.slabs > 100)
		CHECK(kmem_cache_stats_get(s).slabs < stats.slabs / 2);
	finish(s);
}

static void misuse(void)
{
	struct kmem_cache *s = create(64, 0);
	void *p = kmem_cache_alloc(s);

	CHECK(p);
	CHECK(kmem_cache_destroy(s) == EBUSY);
	CHECK(kmem_cache_stats_get(s).slabs == 1);
	kmem_cache_free(s, p);
	finish(s);
	CHECK(!kmem_cache_create("test", 0, 0) && errno == EINVAL);
	CHECK(!kmem_cache_create("test", 64, 24) && errno == EINVAL);
	CHECK(!kmem_cache_create("test", 1 << 20, 0) && errno == EINVAL);
}

/* Right after a fast free the same object comes again; a free elsewhere is not visible as fast. */
static void last_in_first_out(void)
{
	struct kmem_cache *s = create(64, 0);
	void *a, *b;

	a = kmem_cache_alloc(s);
	b = kmem_cache_alloc(s);
	kmem_cache_free(s, a);
	kmem_cache_free(s, b);
	CHECK(kmem_cache_alloc(s) == b);
	CHECK(kmem_cache_alloc(s) == a);
	kmem_cache_free(s, a);
	kmem_cache_free(s, b);
	finish(s);
}

struct remote {
	struct kmem_cache *s;
	void **objects;
	size_t n;
};

static void *free_remotely(void *arg)
{
	const struct remote *r = arg;

	pin(1);
	for (size_t i = 0; i < r->n; i++)
		kmem_cache_free(r->s, r->objects[i]);
	return NULL;
}

/* What another CPU frees comes back to the one that allocates: the slabs do not add up. */
static void remote_free(size_t n)
{
	static void *p[MANY];
	struct kmem_cache *s = create(64, 0);
	struct remote r = {s, p, n};
	size_t slabs = 0;
	pthread_t thread;

	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < n; i++) {
			p[i] = kmem_cache_alloc(s);
			CHECK(p[i]);
		}
		if (!round)
			slabs = kmem_cache_stats_get(s).slabs;
		CHECK(!pthread_create(&thread, NULL, free_remotely, &r));
		CHECK(!pthread_join(thread, NULL));
	}
	/* The other CPU keeps a few on its partial list. */
	CHECK(kmem_cache_stats_get(s).slabs <= slabs + s->cpu_partial + s->min_partial + 2);
	finish(s);
}

/*
 * Threads hold objects of their own, and hand some to each other through a table, so that frees are
 * local and remote. An object's stamp says who holds it: 0 is nobody.
 */
struct stamped {
	void *link;
	_Atomic uintptr_t owner;
};

enum how { PINNED = 1, SHRINK = 2, INTERRUPT = 4 };

struct load {
	struct kmem_cache *s;
	unsigned int number;
	unsigned int how;
};

static _Atomic(struct stamped *) shared[64];
static _Atomic int stop;

static struct stamped *take(struct load *l)
{
	struct stamped *p = kmem_cache_alloc(l->s);

	CHECK(p);
	CHECK(atomic_exchange(&p->owner, l->number + 1) == 0);
	return p;
}

static void give(struct load *l, struct stamped *p)
{
	CHECK(atomic_exchange(&p->owner, 0) == l->number + 1);
	kmem_cache_free(l->s, p);
}

/*
 * A thread is interrupted every few thousand instructions, anywhere, and lets another run there:
 * left to the scheduler, the few instructions that matter would hardly ever be hit.
 */
static void on_interrupt(int number)
{
	(void)number;
	sched_yield();
}

static timer_t interrupt_begin(void)
{
	struct itimerspec every = {{0, INTERRUPT_NS}, {0, INTERRUPT_NS}};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	timer_t timer;

#ifdef sigev_notify_thread_id
	event.sigev_notify_thread_id = gettid();
#else
	event._sigev_un._tid = gettid();
#endif
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &every, NULL));
	return timer;
}

static void *churn(void *arg)
{
	struct load *l = arg;
	struct stamped *held[HELD] = {0}, *p;
	const bool visits = !(l->how & PINNED) && l->number % 2;
	uint64_t x = 88172645463325252u + l->number;
	timer_t timer = NULL;

	if (l->how & PINNED)
		pin(l->number);
	if (l->how & INTERRUPT)
		timer = interrupt_begin();
	for (unsigned long turn = 0; !atomic_load_explicit(&stop, memory_order_relaxed); turn++) {
		size_t i;

		/* A visit to each CPU in turn: threads move while they are at it. */
		if (visits && turn % 512 == 0)
			pin((unsigned int)(turn / 512));
		if (visits && turn % 512 == 1) {
			cpu_set_t all;

			memset(&all, 0xff, sizeof(all));
			CHECK(!pthread_setaffinity_np(pthread_self(), sizeof(all), &all));
		}
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		i = x % HELD;
		if (held[i]) {
			give(l, held[i]);
			held[i] = NULL;
		} else {
			held[i] = take(l);
		}
		if (!held[i] || x >> 60)
			continue;
		atomic_store(&held[i]->owner, THREADS + 1);
		p = atomic_exchange(&shared[x >> 32 & 63], held[i]);
		held[i] = p;
		if (p)
			CHECK(atomic_exchange(&p->owner, l->number + 1) == THREADS + 1);
	}
	for (size_t i = 0; i < HELD; i++) {
		if (held[i])
			give(l, held[i]);
	}
	if (l->how & INTERRUPT)
		CHECK(!timer_delete(timer));
	return NULL;
}

/* The stamps of fresh objects are 0 as the memory is; others' as their last holder left them. */
static void load(unsigned int threads, size_t size, unsigned int how)
{
	struct kmem_cache *s = create(size, 0);
	const struct timespec ms = {0, 1000000};
	struct timespec begin, end;
	struct load l[THREADS];
	pthread_t thread[THREADS];

	atomic_store(&stop, 0);
	for (unsigned int i = 0; i < threads; i++) {
		l[i] = (struct load){s, i, how};
		CHECK(!pthread_create(&thread[i], NULL, churn, &l[i]));
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	end = begin;
	for (int i = 0;
	     (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 < RUN_MS;
	     i++) {
		nanosleep(&ms, NULL);
		clock_gettime(CLOCK_MONOTONIC, &end);
		if (how & SHRINK && i % 8 == 0)
			kmem_cache_shrink(s);
	}
	atomic_store(&stop, 1);
	for (unsigned int i = 0; i < threads; i++)
		CHECK(!pthread_join(thread[i], NULL));
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		struct stamped *p = atomic_exchange(&shared[i], NULL);

		if (!p)
			continue;
		CHECK(atomic_exchange(&p->owner, 0) == THREADS + 1);
		kmem_cache_free(s, p);
	}
	finish(s);
}

int main(void)
{
	static const size_t sizes[] = {8, 16, 24, 64, 96, 192, 1000, 1024, 4096, 5000, 8192};
	struct kmem_cache *s = kmem_cache_create("test", 8, 0);

	if (!s && errno == ENOSYS) {
		puts("skipped: no restartable sequences");
		return 77;
	}
	finish(s);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		one_size(sizes[i], 0);
	one_size(64, 64);
	one_size(100, 128);
	one_size(1024, 4096);
	misuse();
	last_in_first_out();
	remote_free(10);
	remote_free(64);
	remote_free(MANY);
	signal(SIGUSR1, on_interrupt);
	load(2, 32, PINNED);
	load(THREADS, 32, 0);
	load(THREADS, 1024, SHRINK);
	load(THREADS, 1024, PINNED | INTERRUPT);
	load(THREADS, 1024, SHRINK | INTERRUPT);
	puts("ok");
	return 0;
}
