/* SPDX-License-Identifier: MIT */
/*
 * Floor: an array of pointers per CPU, by restartable sequences, inline. The array is aligned to
 * its size, and the CPU's one word is the address of the top element, so that one mask tells
 * whether it is empty.
 */
#include "floor.h"
#include "rseq_x86_64.h"

#include <sys/rseq.h>

#define PEER_NAME "floor-rseq-magazine"
#define PEER_WORKLOADS (WORKLOAD_PAIR | WORKLOAD_BATCH | WORKLOAD_THREADS | WORKLOAD_CROWD)

/* 16382 objects per CPU: a batch of 10000 fits, and so do the 16 threads with 1000 each of two
 * CPUs. The word of a CPU lies in front of the arrays, alone in its line. */
#define ARRAY_SHIFT 17
#define ARRAY_BYTES (1 << ARRAY_SHIFT)
#define ARRAY_MASK (ARRAY_BYTES - 16)
#define WORD_SHIFT 6

typedef struct {
	unsigned char *words;
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
	size_t cpus = floor_cpus(), words = cpus << WORD_SHIFT;
	struct floor_pool *pool;
	unsigned char *arrays, *at;

	(void)objects;
	words = (words + ARRAY_BYTES - 1) & ~(size_t)(ARRAY_BYTES - 1);
	pool = floor_create(size, words + (cpus << ARRAY_SHIFT), ARRAY_BYTES);
	arrays = pool->lists + words;
	for (size_t i = 0; i < cpus; i++) {
		/* The element at offset 8 would be the first: 0 there reads as empty. */
		at = arrays + (i << ARRAY_SHIFT) + 8;
		*(unsigned char **)(void *)(pool->lists + (i << WORD_SHIFT)) = at;
	}
	return (peer_pool){pool->lists, pool};
}

static inline __attribute__((always_inline)) void *peer_alloc(peer_pool pool)
{
	uintptr_t t, top;
	void *p;

again:
	__asm__ __volatile__ goto(FLOOR_RSEQ_BEGIN "movq (%[t]), %[p]\n\t"
						   "testl %[mask], %k[p]\n\t"
						   "jz %l[empty]\n\t"
						   "leaq -8(%[p]), %[top]\n\t"
						   "movq (%[p]), %[p]\n\t"
						   "movq %[top], (%[t])\n" FLOOR_RSEQ_END
				  : [p] "=&r"(p), [t] "=&r"(t), [top] "=&r"(top)
				  : [rseq] "r"(__rseq_offset), [base] "r"(pool.words),
				    [shift] "i"(WORD_SHIFT), [mask] "i"(ARRAY_MASK)
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
	uintptr_t t, top;

again:
	__asm__ __volatile__ goto(FLOOR_RSEQ_BEGIN "movq (%[t]), %[top]\n\t"
						   "addq $8, %[top]\n\t"
						   "testl %[mask], %k[top]\n\t"
						   "jz %l[full]\n\t"
						   "movq %[p], (%[top])\n\t"
						   "movq %[top], (%[t])\n" FLOOR_RSEQ_END
				  : [t] "=&r"(t), [top] "=&r"(top)
				  : [p] "r"(p), [rseq] "r"(__rseq_offset), [base] "r"(pool.words),
				    [shift] "i"(WORD_SHIFT), [mask] "i"(ARRAY_MASK)
				  : "memory", "cc"
				  : again, full);
	return;
full:
	bench_die("floor-rseq-magazine is full");
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
