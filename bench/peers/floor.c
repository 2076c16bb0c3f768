/* SPDX-License-Identifier: MIT */
#include "floor.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <unistd.h>

#define CHUNK ((size_t)4 << 20)
/*
 * Objects of 1 KiB and more at their natural distance fall into few sets of the first-level cache.
 * A line of offset after each 4096 bytes of objects spreads them; no floor without it.
 */
#define COLOUR_SPAN 4096
#define COLOUR_STEP 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct floor_pool pools[FLOOR_POOLS];
static unsigned int nr_pools;

static void die(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	exit(1);
}

static unsigned char *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("a floor gets no memory");
	return p;
}

struct floor_pool *floor_create(size_t size, size_t lists, size_t align)
{
	struct floor_pool *pool;
	uintptr_t at;

	if (nr_pools == FLOOR_POOLS)
		die("too many pools for a floor");
	pool = &pools[nr_pools];
	pool->number = nr_pools++;
	pool->size = size;
	at = (uintptr_t)map(lists + align);
	pool->lists = (unsigned char *)((at + align - 1) & ~(uintptr_t)(align - 1));
	return pool;
}

void *floor_carve(struct floor_pool *pool)
{
	void *p;

	pthread_mutex_lock(&lock);
	if (pool->used >= COLOUR_SPAN) {
		pool->next += COLOUR_STEP;
		pool->used = 0;
	}
	if (!pool->next || pool->next + pool->size > pool->end) {
		pool->next = map(CHUNK);
		pool->end = pool->next + CHUNK;
	}
	p = pool->next;
	pool->next += pool->size;
	pool->used += pool->size;
	pthread_mutex_unlock(&lock);
	return p;
}

unsigned int floor_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);

	return n > 0 ? (unsigned int)n : 1;
}

void floor_need_rseq(void)
{
	const struct rseq *area;

	area = (const struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	if (!__rseq_size || (int32_t)area->cpu_id < 0)
		die("this floor needs restartable sequences (kernel 4.18, glibc 2.35)");
}
