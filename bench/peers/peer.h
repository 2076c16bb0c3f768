/* SPDX-License-Identifier: MIT */
/*
 * What a workload asks of an allocator. Each peer is one header that defines these inline, so that
 * a workload compiled against it holds the peer's own call and nothing else; BENCH_PEER names it.
 *
 *	PEER_NAME                         as in the report
 *	PEER_WORKLOADS                    WORKLOAD_* that make sense for it
 *	peer_pool                         a type, passed by value: where objects of one size
 *	                                  come from
 *	void peer_init(argv0)             once, in main(), before anything else
 *	const char *peer_version()
 *	peer_pool peer_create(size, objects)
 *	                                  objects: the most that will be live at once
 *	void *peer_alloc(pool)            may return NULL if peer_alloc_slow() can do better
 *	void *peer_alloc_slow(pool)       after that NULL; does not return without an object
 *	void peer_free(pool, object)
 *	void peer_destroy(pool)           with WORKLOAD_HANDLES: of a pool with no live objects
 *	uint64_t peer_meta_bytes()        if PEER_META_BYTES is defined: what the peer's own
 *	                                  figures say its bookkeeping takes
 *	void peer_trim(pool)              give memory back, as far as the peer can be told to
 *	void peer_thread_enter(), peer_thread_leave()
 *	                                  around the use by every thread but the first
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WORKLOAD_PAIR 1
#define WORKLOAD_BATCH 2
#define WORKLOAD_THREADS 4
/* Objects that another thread frees. */
#define WORKLOAD_HANDOVER 8
/* What memory is taken, and when: fresh, after a mix, after all is free. */
#define WORKLOAD_FOOTPRINT 16
#define WORKLOAD_LATENCY 32
/* More threads than CPUs. */
#define WORKLOAD_CROWD 64
/* Thousands of pools. */
#define WORKLOAD_MAPS 128
/* Objects of any size: bench/trace/heap.h knows how. */
#define WORKLOAD_TRACE 256
/* The same, of sizes that nobody knew before: no pool is made for any of them. */
#define WORKLOAD_SIZES 512
/* Pools that are made and destroyed: it has peer_destroy(). */
#define WORKLOAD_HANDLES 1024
#define WORKLOAD_ALL 255

/**
 * bench_die - A peer that cannot run as it should says why and ends its process: at once, for what
 * libraries do at exit would find it at work.
 */
static inline __attribute__((noreturn, cold)) void bench_die(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	_exit(1);
}

#include BENCH_PEER

/** bench_take - Allocate as a program does: the any-context call, and what to do if it fails. */
static inline __attribute__((always_inline)) void *bench_take(peer_pool pool)
{
	void *p = peer_alloc(pool);

	if (__builtin_expect(!p, 0))
		p = peer_alloc_slow(pool);
	return p;
}

#endif /* BENCH_PEER_H */
