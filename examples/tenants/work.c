/* SPDX-License-Identifier: MIT */
/* What the threads of tenants do. */
#include "tenants.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define KEPT_SIZE 256u
#define LEAKED_SIZE 512u

atomic_bool stop;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* As a server does: the call that never waits, and if there is nothing in stock the one that does. */
static void *take(struct tenant *t, size_t size)
{
	uint64_t begun = now(), took;
	void *obj = bma_heap_alloc(t->heap, size);
	unsigned int bucket = 0;

	if (!obj)
		obj = bma_heap_alloc_flags(t->heap, size, BMA_SLEEP);
	for (took = now() - begun; took >>= 1;)
		bucket++;
	t->latency[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	t->calls++;
	t->failed += !obj;
	return obj;
}

void *tenant_good(void *tenant)
{
	struct tenant *t = tenant;
	void *live[LIVE] = {NULL};

	for (unsigned int i = 0; !atomic_load(&stop); i++) {
		bma_heap_free(t->heap, live[i % LIVE]);
		live[i % LIVE] = take(t, 1 + (size_t)rand_r(&t->seed) % SIZE_MOST);
		if (i % LIVE == 0)
			usleep(200); /* requests do not come all at once */
	}
	bma_heap_free_bulk(t->heap, live, LIVE);
	return NULL;
}

uint64_t keeps_count(void *tenant)
{
	struct tenant *t = tenant;
	uint64_t bytes;

	pthread_mutex_lock(&t->lock);
	bytes = (t->end - t->first) * KEPT_SIZE;
	pthread_mutex_unlock(&t->lock);
	return bytes;
}

uint64_t keeps_scan(uint64_t bytes, void *tenant)
{
	struct tenant *t = tenant;
	uint64_t given = 0;

	/* A few more than need be, so that not each allocation comes here. */
	pthread_mutex_lock(&t->lock);
	for (; given < bytes + 64 * KEPT_SIZE && t->first < t->end; given += KEPT_SIZE) {
		bma_heap_free(t->heap, t->kept[t->first++ % KEEPS]);
		t->evicted++;
	}
	pthread_mutex_unlock(&t->lock);
	return given;
}

/* Lives at its limit. No lock is held while it allocates: the shrinker takes it. */
void *tenant_keeps(void *tenant)
{
	struct tenant *t = tenant;

	while (!atomic_load(&stop)) {
		void *obj = take(t, KEPT_SIZE);

		if (!obj)
			continue;
		pthread_mutex_lock(&t->lock);
		CHECK(t->end - t->first < KEEPS);
		t->kept[t->end++ % KEEPS] = obj;
		pthread_mutex_unlock(&t->lock);
		if (t->end % LIVE == 0)
			usleep(200);
	}
	return NULL;
}

/* Frees nothing, and asks again and again. */
void *tenant_leaks(void *tenant)
{
	struct tenant *t = tenant;

	for (unsigned int i = 0; !atomic_load(&stop); i++) {
		unsigned int flags = i % 2 ? BMA_SLEEP : 0;
		void **obj;

		errno = 0;
		obj = bma_heap_alloc_flags(t->heap, LEAKED_SIZE, flags);
		if (obj) {
			*obj = t->leaked;
			t->leaked = obj;
		} else if (flags) {
			CHECK(errno == EDQUOT);
			t->refused++;
		} else {
			CHECK(errno == 0);
			t->refused_any++;
		}
	}
	return NULL;
}

void tenant_free(struct tenant *t)
{
	keeps_scan(UINT64_MAX / 2, t);
	while (t->leaked) {
		void **obj = t->leaked;

		t->leaked = *obj;
		bma_heap_free(t->heap, obj);
	}
}
