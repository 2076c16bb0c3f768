/* SPDX-License-Identifier: MIT */
/* What the workloads need of the machine: CPUs, clocks, resident memory. */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * host_init - Reads which CPUs this process may use. First in main(), before any thread is started.
 *
 * If hwloc was told to describe another machine (HWLOC_SYNTHETIC), the calls below answer for that
 * one, and the first thread that is to be bound ends the process with status 2.
 */
void host_init(void);
/** host_cpus - How many these are. */
int host_cpus(void);
/** host_pin - Bind this thread to the CPU number @i in the order of struct topology, which begins
 * with one CPU of each core; counted modulo host_cpus(). */
void host_pin(int i);
/** host_unpin - Let this thread run on all of them. */
void host_unpin(void);

/** host_nodes - How many NUMA nodes there are; some may have no CPUs, some CPUs no node. */
int host_nodes(void);
/** host_node_cpus - How many CPUs of @node this process may use. */
int host_node_cpus(int node);
/** host_node_cores - How many cores these belong to. */
int host_node_cores(int node);
/** host_pin_node - Bind this thread to the CPU number @i of @node, in the same order; counted
 * modulo host_node_cpus(), which must not be 0. */
void host_pin_node(int node, int i);

/** host_resident - Resident bytes of this process, exact; allocates nothing. */
size_t host_resident(void);
/** host_page_tables - Bytes of its page tables, which are not resident bytes of it. */
size_t host_page_tables(void);
/** host_seconds - A monotonic clock. */
double host_seconds(void);
/** host_tick_ns - Nanoseconds per tick of the two counters below; measured on the first call. */
double host_tick_ns(void);

#if defined(__x86_64__)
/* The fences keep what is measured between the two readings, and everything else out. */
static inline uint64_t host_tick_begin(void)
{
	uint32_t lo, hi;

	__asm__ __volatile__("mfence\n\tlfence\n\trdtsc\n\tlfence"
			     : "=a"(lo), "=d"(hi)
			     :
			     : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t host_tick_end(void)
{
	uint32_t lo, hi, cpu;

	__asm__ __volatile__("rdtscp\n\tlfence" : "=a"(lo), "=d"(hi), "=c"(cpu) : : "memory");
	return (uint64_t)hi << 32 | lo;
}
#elif defined(__aarch64__)
static inline uint64_t host_tick_begin(void)
{
	uint64_t t;

	__asm__ __volatile__("dsb sy\n\tisb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(t) : : "memory");
	return t;
}

static inline uint64_t host_tick_end(void)
{
	uint64_t t;

	__asm__ __volatile__("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(t) : : "memory");
	return t;
}
#else
#error "no time stamp counter known for this machine"
#endif

/**
 * host_touch - Map memory, write each of its cache lines, unmap it.
 * @bytes: how much. @huge: ask for huge pages.
 *
 * Returns: nanoseconds that the writing took, or 0 if there was no memory.
 */
double host_touch(size_t bytes, bool huge);

#endif /* BENCH_HOST_H */
