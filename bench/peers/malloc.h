/* SPDX-License-Identifier: MIT */
/*
 * What the malloc peers share: malloc() and free() of whichever library the program is linked with,
 * which is how their users call them. Included by a peer that has defined PEER_LIBRARY, part of the
 * file name that malloc() must come from: a peer must never be glibc by accident. A library that has
 * calls beside malloc() is one more peer: it includes the first one's header after it has defined a
 * PEER_NAME and PEER_WORKLOADS of its own, and either PEER_ALLOC(size) and PEER_FREE(object, size), or
 * PEER_OWN_POOL, and then all that has to do with a pool.
 */
#ifndef BENCH_PEERS_MALLOC_H
#define BENCH_PEERS_MALLOC_H

#include <dlfcn.h>
#include <string.h>

static inline void peer_init(const char *argv0)
{
	void *found = dlsym(RTLD_DEFAULT, "malloc");
	Dl_info info;

	(void)argv0;
	if (!found || !dladdr(found, &info) || !strstr(info.dli_fname, PEER_LIBRARY))
		bench_die("malloc is not that of " PEER_LIBRARY);
}

#ifndef PEER_WORKLOADS
#define PEER_WORKLOADS (WORKLOAD_ALL | WORKLOAD_TRACE | WORKLOAD_SIZES)
#endif

#ifndef PEER_OWN_POOL
#ifndef PEER_ALLOC
#define PEER_ALLOC(size) malloc(size)
#define PEER_FREE(p, size) free(p)
#endif

/* The pool of a malloc is the size to ask for. */
typedef size_t peer_pool;

static inline peer_pool peer_create(size_t size, size_t objects)
{
	(void)objects;
	return size;
}

static inline void *peer_alloc(peer_pool pool)
{
	return PEER_ALLOC(pool);
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	(void)pool;
	bench_die("out of memory");
}

static inline void peer_free(peer_pool pool, void *p)
{
	(void)pool;
	PEER_FREE(p, pool);
}

static inline void peer_thread_enter(void)
{
}

static inline void peer_thread_leave(void)
{
}

#endif /* PEER_OWN_POOL */

#endif /* BENCH_PEERS_MALLOC_H */
