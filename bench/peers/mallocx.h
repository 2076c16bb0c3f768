/* SPDX-License-Identifier: MIT */
/* jemalloc by its own calls, which know the size when an object is freed. */
#define PEER_NAME "mallocx"
#define PEER_LIBRARY "libjemalloc"
#define PEER_OWN_CALLS

#define PEER_WORKLOADS                                                                             \
	(WORKLOAD_PAIR | WORKLOAD_BATCH | WORKLOAD_THREADS | WORKLOAD_CROWD | WORKLOAD_HANDOVER)

#include "malloc.h"

#include <jemalloc/jemalloc.h>

/* The pool is the size. */
typedef size_t peer_pool;

static inline const char *peer_version(void)
{
	const char *version = NULL;
	size_t size = sizeof(version);

	if (mallctl("version", &version, &size, NULL, 0))
		bench_die("jemalloc tells no version");
	return version;
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	(void)objects;
	return size;
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	(void)pool;
	bench_die("out of memory");
}

static inline void *peer_alloc(peer_pool pool)
{
	return mallocx(pool, 0);
}

static inline void peer_free(peer_pool pool, void *p)
{
	sdallocx(p, pool, 0);
}

static inline void peer_trim(peer_pool pool)
{
	(void)pool;
}

static inline void peer_thread_enter(void)
{
}

static inline void peer_thread_leave(void)
{
}
