/* SPDX-License-Identifier: MIT */
/*
 * What the percpu workloads ask of a kind of counter that many threads add to. Each kind is one header that
 * defines these inline; BENCH_COUNTER names it.
 *
 *	COUNTER_NAME                      as in the report
 *	counter                           a type, passed by value
 *	const char *counter_version()
 *	void counter_init(n)              once, in a thread that is bound nowhere: at most n are made
 *	counter counter_make()            one more, which is 0
 *	void counter_add(counter, n)      by any thread, at once with others
 *	uint64_t counter_sum(counter)     of all copies
 *	unsigned int counter_used(counter)
 *	                                  copies that are not 0
 */
#ifndef BENCH_COUNTER_H
#define BENCH_COUNTER_H

#include "bench_c.h"
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/** COUNTERS_MAX - The most that a workload makes. */
#define COUNTERS_MAX 1000000

/** counter_die - A kind that cannot work says why and ends its process. */
static inline __attribute__((noreturn, cold)) void counter_die(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	_exit(1);
}

/** counter_map - Zeroed memory from the system, none of it resident. */
static inline void *counter_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		counter_die("out of memory");
	/* As small as may be: no huge page for the few that are in use. */
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

#include BENCH_COUNTER

void percpu_memory_register(void);
void percpu_add_register(void);

#endif /* BENCH_COUNTER_H */
