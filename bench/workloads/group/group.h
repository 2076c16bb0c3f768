/* SPDX-License-Identifier: MIT */
/* What the rows of accounting groups share. What they make lives to the end of the process, as the pools of the other rows do. */
#ifndef BENCH_WORKLOADS_GROUP_GROUP_H
#define BENCH_WORKLOADS_GROUP_GROUP_H

#include "loops.h"
#include "workloads/turns.h"

/** group_made - A group, @levels below @parent (NULL: the root); those between are made, too. */
struct bma_group *group_made(struct bma_group *parent, unsigned int levels);
/** group_current - Bytes that are charged to a group. */
uint64_t group_current(struct bma_group *group);
/** group_cache - A cache; the CPU that measures has an object of it at hand. @group: NULL: none in particular. */
struct bma_cache *group_cache(size_t size, uint64_t flags, struct bma_group *group);
/** group_row - A benchmark that is run once and says itself how long an operation took. */
struct bench *group_row(const char *name, bench_fn fn, void *arg);
/** group_ratio - Of two of the figures of @turns that have @calls each, by number of their loops. */
double group_ratio(struct turns *turns, size_t top, size_t bottom, double calls);

void group_private_register(void);
void group_pair_register(void);
void group_sixteen_register(void);
void group_depth_register(void);
void group_threads_register(void);
void group_heap_register(void);
void group_payers_register(void);
void group_places_register(void);
void group_vector_register(void);

#endif /* BENCH_WORKLOADS_GROUP_GROUP_H */
