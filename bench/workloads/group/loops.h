/* SPDX-License-Identifier: MIT */
/*
 * The loops that the rows of groups compare. Each is compiled once with the calls of the headers and once with those of the library, so that
 * two figures of one kind of call are of the same instructions at the same addresses, and differ in the cache alone.
 */
#ifndef BENCH_WORKLOADS_GROUP_LOOPS_H
#define BENCH_WORKLOADS_GROUP_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/** GROUP_PAIRS - Pairs of a turn. */
#define GROUP_PAIRS 4096
/** GROUP_ALTERNATING - Caches that take turns. */
#define GROUP_ALTERNATING 16
/** GROUP_HEAP_SIZE - Known to the compiler. */
#define GROUP_HEAP_SIZE 64

struct bma_cache;
struct bma_heap;

/* All of them return ticks, and end the process if there is no memory. */

/** group_inlined_pairs, group_exported_pairs - Allocate and free at once, @n times. */
uint64_t group_inlined_pairs(struct bma_cache *cache, size_t n);
uint64_t group_exported_pairs(struct bma_cache *cache, size_t n);
/** group_exported_alternating - The same, %GROUP_PAIRS times, each time by the next of %GROUP_ALTERNATING caches. */
uint64_t group_inlined_alternating(struct bma_cache *const *caches);
uint64_t group_exported_alternating(struct bma_cache *const *caches);
/** group_exported_row - Allocate @n objects, then free them, the last one first. */
uint64_t group_inlined_row(struct bma_cache *cache, void **objects, size_t n);
uint64_t group_exported_row(struct bma_cache *cache, void **objects, size_t n);
/** group_inlined_heap_pairs, group_exported_heap_pairs - %GROUP_PAIRS of a heap, told the size when they free. */
uint64_t group_inlined_heap_pairs(struct bma_heap *heap);
uint64_t group_exported_heap_pairs(struct bma_heap *heap);

/** group_no_memory - Ends the process. */
void group_no_memory(void) __attribute__((noreturn, cold));

#endif /* BENCH_WORKLOADS_GROUP_LOOPS_H */
