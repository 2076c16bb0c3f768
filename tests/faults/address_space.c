/* SPDX-License-Identifier: MIT */
/*
 * The address space runs out (RLIMIT_AS), for real: calls that may sleep say ENOMEM, others NULL, nothing is lost, and all is
 * as before when there is room again.
 */
#include <bma/bma.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test.h"

#define ROOM ((size_t)64 << 20)
#define SIZE 1024
#define MOST (4 * ROOM / SIZE)

static void *objs[MOST];

/* What the process has now, and @room more. */
static void limit(size_t room)
{
	struct rlimit l;
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f && fscanf(f, "%lu", &pages) == 1, "in address_space");
	fclose(f);
	CHECK(!getrlimit(RLIMIT_AS, &l), "in address_space");
	l.rlim_cur = room ? pages * (size_t)sysconf(_SC_PAGESIZE) + room : l.rlim_max;
	CHECK(!setrlimit(RLIMIT_AS, &l), "in address_space");
}

static size_t take(struct bma_cache *cache)
{
	size_t n = 0;

	errno = 0;
	while (n < MOST && (objs[n] = bma_cache_alloc_flags(cache, BMA_SLEEP)))
		n++;
	return n;
}

int main(void)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .size = SIZE};
	struct bma_cache *cache = bma_cache_create(&attr), *other;
	size_t n;

	CHECK(cache, "in address_space");
	for (int round = 0; round < 3; round++) {
		limit(ROOM);
		n = take(cache);
		CHECK(n > ROOM / SIZE / 2 && n < MOST && errno == ENOMEM, "in address_space");
		CHECK(!bma_cache_alloc(cache), "in address_space");
		/* What needs memory fails, or has had it before. */
		other = bma_cache_create(&attr);
		CHECK(other || errno == ENOMEM, "in address_space");
		CHECK(!bma_cache_destroy(other), "in address_space");
		/* Frees need none. */
		for (size_t i = 0; i < n; i++) {
			if (i % 2)
				bma_cache_free(cache, objs[i]);
			else
				bma_cache_free_rcu(cache, objs[i]);
		}
		CHECK(!bma_rcu_barrier(cache), "in address_space");
		limit(0);
		CHECK(!bma_trim(), "in address_space");
		printf("%zu objects of %d bytes in %zu MiB\n", n, SIZE, ROOM >> 20);
	}
	CHECK(!bma_cache_destroy(cache), "in address_space");
	return 0;
}
