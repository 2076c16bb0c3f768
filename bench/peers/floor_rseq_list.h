/* SPDX-License-Identifier: MIT */
/* Floor: a linked list through the free objects, one per CPU, by restartable sequences, inline. */
#include "floor.h"
#include "rseq_x86_64.h"

#include <sys/rseq.h>

#define PEER_NAME "floor-rseq-list"
#define PEER_WORKLOADS (WORKLOAD_PAIR | WORKLOAD_BATCH)

/* A CPU's list head has a cache line to itself. */
#define LIST_SHIFT 6

typedef struct {
	unsigned char *lists;
	struct floor_pool *pool;
} peer_pool;

static inline void peer_init(const char *argv0)
{
	(void)argv0;
	floor_need_rseq();
}

static inline const char *peer_version(void)
{
	return "rseq, cpu_id";
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	struct floor_pool *pool;

	(void)objects;
	pool = floor_create(size, (size_t)floor_cpus() << LIST_SHIFT, 64);
	return (peer_pool){pool->lists, pool};
}

static inline __attribute__((always_inline)) void *peer_alloc(peer_pool pool)
{
	uintptr_t t, next;
	void *p;

again:
	__asm__ __volatile__ goto(
		FLOOR_RSEQ_BEGIN "movq (%[t]), %[p]\n\t"
				 "testq %[p], %[p]\n\t"
				 "jz %l[empty]\n\t"
				 "movq (%[p]), %[n]\n\t"
				 "movq %[n], (%[t])\n" FLOOR_RSEQ_END
		: [p] "=&r"(p), [t] "=&r"(t), [n] "=&r"(next)
		: [rseq] "r"(__rseq_offset), [base] "r"(pool.lists), [shift] "i"(LIST_SHIFT)
		: "memory", "cc"
		: again, empty);
	return p;
empty:
	return NULL;
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	return floor_carve(pool.pool);
}

static inline __attribute__((always_inline)) void peer_free(peer_pool pool, void *p)
{
	uintptr_t t, next;

again:
	__asm__ __volatile__ goto(FLOOR_RSEQ_BEGIN "movq (%[t]), %[n]\n\t"
						   "movq %[n], (%[p])\n\t"
						   "movq %[p], (%[t])\n" FLOOR_RSEQ_END
				  : [t] "=&r"(t), [n] "=&r"(next)
				  : [p] "r"(p), [rseq] "r"(__rseq_offset), [base] "r"(pool.lists),
				    [shift] "i"(LIST_SHIFT)
				  : "memory", "cc"
				  : again);
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
