/* SPDX-License-Identifier: MIT */
/* Two calls into a shared library that do nothing: what the exported form cannot be faster than. */
#include "null_calls.h"

#define PEER_NAME "null-call"
#define PEER_WORKLOADS WORKLOAD_PAIR

typedef struct null_pool *peer_pool;

static inline void peer_init(const char *argv0)
{
	(void)argv0;
}

static inline const char *peer_version(void)
{
	return "no PLT";
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	(void)objects;
	return (peer_pool)calloc(1, size);
}

static inline void *peer_alloc(peer_pool pool)
{
	return null_alloc(pool);
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	(void)pool;
	bench_die("out of memory");
}

static inline void peer_free(peer_pool pool, void *p)
{
	null_free(pool, p);
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
