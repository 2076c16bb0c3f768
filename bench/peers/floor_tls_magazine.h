/* SPDX-License-Identifier: MIT */
/*
 * Floor: an array of pointers per thread, inline, in the program's own thread-local storage. It may
 * not be used from a signal handler and strands what a thread holds when it ends; here the end of a
 * thread hands it on.
 */
#include "floor.h"
#include "floor_tls.h"

#define PEER_NAME "floor-tls-magazine"
#define PEER_WORKLOADS (WORKLOAD_PAIR | WORKLOAD_BATCH | WORKLOAD_THREADS | WORKLOAD_CROWD)

/* The offset is that of the pool's array in the thread's block: a multiplication less per call. */
typedef struct {
	size_t offset;
	struct floor_pool *pool;
} peer_pool;

static inline void peer_init(const char *argv0)
{
	(void)argv0;
}

static inline const char *peer_version(void)
{
	return "thread-local";
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	struct floor_pool *pool = floor_create(size, 64, 64);

	(void)objects;
	return (peer_pool){pool->number * sizeof(struct floor_tls), pool};
}

static inline __attribute__((always_inline)) struct floor_tls *magazine(peer_pool pool)
{
	return (struct floor_tls *)(void *)((unsigned char *)floor_tls + pool.offset);
}

static inline __attribute__((always_inline)) void *peer_alloc(peer_pool pool)
{
	struct floor_tls *m = magazine(pool);

	return m->count ? m->objects[--m->count] : NULL;
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	return floor_tls_refill(pool.pool);
}

static inline __attribute__((always_inline)) void peer_free(peer_pool pool, void *p)
{
	struct floor_tls *m = magazine(pool);

	if (m->count == FLOOR_TLS_CAPACITY)
		bench_die("floor-tls-magazine is full");
	m->objects[m->count++] = p;
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
	floor_tls_leave();
}
