/* SPDX-License-Identifier: MIT */
/*
 * An allocator that does nothing: the next object of a ring. The ring is as large as what waits for
 * a grace period at full speed in the best of cases, so that its objects are no warmer than theirs.
 */
#include <string.h>

#define PEER_NAME "ring"
#define PEER_WORKLOADS 0

/* Objects, a power of two. */
#define RING_OBJECTS 32768

typedef struct ring *peer_pool;

struct ring {
	size_t size;
	size_t next;
	unsigned char *objects;
};

static inline void peer_init(const char *argv0)
{
	(void)argv0;
}

static inline const char *peer_version(void)
{
	return "reuses objects too early";
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	(void)objects;
	if (!ring || posix_memalign((void **)&ring->objects, 4096, size * RING_OBJECTS))
		bench_die("ring: out of memory");
	memset(ring->objects, 1, size * RING_OBJECTS);
	ring->size = size;
	return ring;
}

static inline void *peer_alloc(peer_pool pool)
{
	return pool->objects + pool->size * (pool->next++ % RING_OBJECTS);
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	(void)pool;
	bench_die("out of memory");
}

static inline void peer_free(peer_pool pool, void *p)
{
	(void)pool;
	(void)bench_use(p);
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
