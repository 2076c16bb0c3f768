/* SPDX-License-Identifier: MIT */
/* A slab cache in the manner of the kernel's kmem_cache (SLUB), written for this benchmark. */
#include "../kmem_cache/kmem_cache.h"

#define PEER_NAME "kmem_cache"
#define PEER_WORKLOADS (WORKLOAD_ALL | WORKLOAD_HANDLES)

typedef struct kmem_cache *peer_pool;

static inline void peer_init(const char *argv0)
{
	(void)argv0;
}

static inline const char *peer_version(void)
{
	return "own, after SLUB; rseq, cpu_id";
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	struct kmem_cache *cache = kmem_cache_create("bench", size, 0);

	(void)objects;
	if (!cache)
		bench_die("kmem_cache_create failed: no memory or no restartable sequences");
	return cache;
}

static inline void peer_destroy(peer_pool pool)
{
	if (kmem_cache_destroy(pool))
		bench_die("kmem_cache_destroy: objects are live");
}

static inline __attribute__((always_inline)) void *peer_alloc(peer_pool pool)
{
	return kmem_cache_alloc_fast(pool);
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	void *p = kmem_cache_alloc_slow(pool);

	if (!p)
		bench_die("out of memory");
	return p;
}

static inline __attribute__((always_inline)) void peer_free(peer_pool pool, void *p)
{
	kmem_cache_free(pool, p);
}

static inline void peer_trim(peer_pool pool)
{
	kmem_cache_shrink(pool);
}

static inline void peer_thread_enter(void)
{
}

static inline void peer_thread_leave(void)
{
}
