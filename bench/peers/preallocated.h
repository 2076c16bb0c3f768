/* SPDX-License-Identifier: MIT */
/*
 * All objects made at once, on a free list per CPU behind a lock, after the Linux kernel's
 * preallocated hash map: a CPU whose list is empty takes from another's, and an object that is
 * replaced changes places with a spare one of the CPU. The second word of a free object is the
 * link; readers may be at the first.
 */
#include "crew.h"

#include <string.h>

#define PEER_NAME "preallocated"
#define PEER_WORKLOADS 0
/* What replaces an object is had by peer_exchange(). */
#define PEER_EXCHANGES

struct preallocated_cpu {
	_Alignas(128) _Atomic uint32_t lock;
	void **_Atomic first;
	void *spare;
};

struct preallocated {
	unsigned int cpus;
	struct preallocated_cpu cpu[CREW_MAX];
};

typedef struct preallocated *peer_pool;

/* Threads do not outnumber CPUs and stay where they are: the thread's number is the CPU's. */
static _Atomic unsigned int preallocated_threads;
static __thread unsigned int preallocated_self;

static inline void peer_init(const char *argv0)
{
	(void)argv0;
}

static inline const char *peer_version(void)
{
	return "after the kernel's";
}

static inline struct preallocated_cpu *preallocated_here(peer_pool pool)
{
	if (__builtin_expect(!preallocated_self, 0))
		preallocated_self = atomic_fetch_add(&preallocated_threads, 1) + 1;
	return &pool->cpu[preallocated_self % pool->cpus];
}

static inline void preallocated_lock(struct preallocated_cpu *cpu)
{
	while (atomic_exchange_explicit(&cpu->lock, 1, memory_order_acquire)) {
		while (atomic_load_explicit(&cpu->lock, memory_order_relaxed))
			crew_relax();
	}
}

static inline void preallocated_unlock(struct preallocated_cpu *cpu)
{
	atomic_store_explicit(&cpu->lock, 0, memory_order_release);
}

static inline void preallocated_push(struct preallocated_cpu *cpu, void *p)
{
	preallocated_lock(cpu);
	((void **)p)[1] = atomic_load_explicit(&cpu->first, memory_order_relaxed);
	atomic_store_explicit(&cpu->first, p, memory_order_relaxed);
	preallocated_unlock(cpu);
}

static inline void *preallocated_pop(struct preallocated_cpu *cpu)
{
	void **p;

	if (!atomic_load_explicit(&cpu->first, memory_order_relaxed))
		return NULL;
	preallocated_lock(cpu);
	p = atomic_load_explicit(&cpu->first, memory_order_relaxed);
	if (p)
		atomic_store_explicit(&cpu->first, p[1], memory_order_relaxed);
	preallocated_unlock(cpu);
	return p;
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	struct preallocated *pool;
	size_t all;
	char *at;

	if (posix_memalign((void **)&pool, 128, sizeof(*pool)))
		bench_die("preallocated: out of memory");
	memset(pool, 0, sizeof(*pool));
	pool->cpus = (unsigned int)host_cpus() < CREW_MAX ? (unsigned int)host_cpus() : CREW_MAX;
	all = objects + pool->cpus;
	if (posix_memalign((void **)&at, 4096, all * size))
		bench_die("preallocated: out of memory");
	memset(at, 0, all * size);
	for (size_t i = 0; i < pool->cpus; i++, at += size)
		pool->cpu[i].spare = at;
	for (size_t i = 0; i < objects; i++, at += size)
		preallocated_push(&pool->cpu[i * pool->cpus / objects], at);
	return pool;
}

static inline void *peer_alloc(peer_pool pool)
{
	struct preallocated_cpu *here = preallocated_here(pool);
	void *p = preallocated_pop(here);

	for (unsigned int i = 0; !p && i < pool->cpus; i++)
		p = preallocated_pop(&pool->cpu[i]);
	return p;
}

static inline void *peer_exchange(peer_pool pool, void *old)
{
	struct preallocated_cpu *here = preallocated_here(pool);
	void *p = here->spare;

	here->spare = old;
	return p;
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	(void)pool;
	bench_die("preallocated: too few objects");
}

static inline void peer_free(peer_pool pool, void *p)
{
	preallocated_push(preallocated_here(pool), p);
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
