/* SPDX-License-Identifier: MIT */
/*
 * BMA as its users link it: the shared library; inline calls unless BMA_NO_INLINE is defined. Included by
 * peers that have defined a PEER_NAME and PEER_WORKLOADS of their own, and PEER_CACHE_FLAGS, PEER_GROUP or PEER_OWN_POOL.
 */
#include <bma/bma.h>

#ifdef BENCH_BMA_EXPORTED
#ifndef BMA_NO_INLINE
#error "the exported peer is to be compiled with BMA_NO_INLINE"
#endif
#elif defined(BMA_NO_INLINE)
#error "this compiler cannot inline the calls"
#endif

#ifndef PEER_NAME
#ifdef BENCH_BMA_EXPORTED
#define PEER_NAME "bma-exported"
#else
#define PEER_NAME "bma-inline"
#endif
#define PEER_WORKLOADS (WORKLOAD_ALL | WORKLOAD_TRACE | WORKLOAD_HANDLES)
#endif

#ifndef PEER_CACHE_FLAGS
#define PEER_CACHE_FLAGS 0
#endif

/* Who pays for the caches. */
#ifndef PEER_GROUP
#define PEER_GROUP NULL
#endif

#define PEER_META_BYTES 1

static inline void peer_init(const char *argv0)
{
	(void)argv0;
	if (bma_version() != BMA_VERSION)
		bench_die("the loaded libbma is not the one compiled against");
}

static inline const char *peer_version(void)
{
	static char text[96];
	struct bma_stats stats = {0};
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .size = 64};
	struct bma_cache *cache = bma_cache_create(&attr);

	/* The mode is chosen by the first cache. */
	if (!cache || bma_stats_get(&stats, sizeof(stats)) || bma_cache_destroy(cache))
		bench_die("bma: cannot read the mode");
	snprintf(text, sizeof(text), "%d.%d.%d, %s (%s)", BMA_VERSION_MAJOR, BMA_VERSION_MINOR,
		 BMA_VERSION_PATCH,
		 stats.mode == BMA_MODE_RSEQ_CID   ? "rseq, mm_cid"
		 : stats.mode == BMA_MODE_RSEQ_CPU ? "rseq, cpu_id"
						   : "guest slots",
		 stats.mode_reason ? stats.mode_reason : "no reason given");
	return text;
}

/* Bytes that the library has mapped for what it knows of slabs and caches. */
static inline uint64_t peer_meta_bytes(void)
{
	struct bma_stats stats = {0};

	if (bma_stats_get(&stats, sizeof(stats)))
		bench_die("bma_stats_get failed");
	return stats.meta_bytes;
}

#ifndef PEER_OWN_POOL
typedef struct bma_cache *peer_pool;

static inline peer_pool peer_create(size_t size, size_t objects)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr),
				      .size = size,
				      .flags = PEER_CACHE_FLAGS,
				      .group = PEER_GROUP};
	struct bma_cache *cache = bma_cache_create(&attr);

	(void)objects;
	if (!cache)
		bench_die("bma_cache_create failed");
	return cache;
}

static inline void peer_destroy(peer_pool pool)
{
	if (bma_cache_destroy(pool))
		bench_die("bma_cache_destroy: objects are live");
}

static inline void *peer_alloc(peer_pool pool)
{
	return bma_cache_alloc(pool);
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	void *p = bma_cache_alloc_flags(pool, BMA_SLEEP);

	if (!p)
		bench_die("bma: out of memory");
	return p;
}

static inline void peer_free(peer_pool pool, void *p)
{
	bma_cache_free(pool, p);
}

#endif /* PEER_OWN_POOL */

static inline void peer_trim(peer_pool pool)
{
	(void)pool;
	if (bma_trim())
		bench_die("bma_trim failed");
}

static inline void peer_thread_enter(void)
{
}

static inline void peer_thread_leave(void)
{
}
