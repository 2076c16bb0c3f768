/* SPDX-License-Identifier: MIT */
/*
 * What peers share that keep the free objects of a pool on one stack for all threads, and nothing
 * more: what a program writes in ten lines that has a lock-free stack at hand. Fresh objects are
 * carved as those of the floors are. Included by a peer that has defined struct raw_stack, at most a
 * cache line, and raw_stack_init(), raw_stack_pop() and raw_stack_push() on it.
 */
#ifndef BENCH_PEERS_RAW_STACK_H
#define BENCH_PEERS_RAW_STACK_H

#include "floor.h"

/* No memory is ever given back, and no footprint kept small. */
#define PEER_WORKLOADS                                                                             \
	(WORKLOAD_PAIR | WORKLOAD_BATCH | WORKLOAD_THREADS | WORKLOAD_CROWD | WORKLOAD_HANDOVER)

#define RAW_STACK_ALIGN 128

typedef struct {
	struct raw_stack *stack;
	struct floor_pool *pool;
} peer_pool;

static inline void peer_init(const char *argv0)
{
	(void)argv0;
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	struct floor_pool *pool = floor_create(size, RAW_STACK_ALIGN, RAW_STACK_ALIGN);
	peer_pool made = {(struct raw_stack *)(void *)pool->lists, pool};

	(void)objects;
	raw_stack_init(made.stack);
	return made;
}

static inline void *peer_alloc(peer_pool pool)
{
	return raw_stack_pop(pool.stack);
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	return floor_carve(pool.pool);
}

static inline void peer_free(peer_pool pool, void *p)
{
	raw_stack_push(pool.stack, p);
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

#endif /* BENCH_PEERS_RAW_STACK_H */
