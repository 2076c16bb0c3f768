/* SPDX-License-Identifier: MIT */
/*
 * What the floors share. A floor is the least that any allocator of its kind must do: no refill, no
 * accounting, no checks, no way to get memory back. Objects come from a bump allocator when the
 * list is empty, which after warm-up is never.
 */
#ifndef BENCH_PEERS_FLOOR_H
#define BENCH_PEERS_FLOOR_H

#include <stddef.h>
#include <stdint.h>

/** struct floor_pool - The bump allocator, and where a floor keeps its lists. */
struct floor_pool {
	unsigned char *lists;
	unsigned int number; /* 0, 1, 2 ... in order of creation */
	size_t size;
	size_t used;
	unsigned char *next;
	unsigned char *end;
};

/** FLOOR_POOLS - Pools that a process may have. */
#define FLOOR_POOLS 64

/**
 * floor_create - Make a pool.
 * @size: of an object; @lists: bytes for the floor's lists, zero-filled, aligned to @align.
 */
struct floor_pool *floor_create(size_t size, size_t lists, size_t align);
/** floor_carve - A fresh object. Thread-safe. */
void *floor_carve(struct floor_pool *pool);
/** floor_cpus - CPU numbers are below this. */
unsigned int floor_cpus(void);
/** floor_need_rseq - End the process unless this thread can use restartable sequences. */
void floor_need_rseq(void);

#endif /* BENCH_PEERS_FLOOR_H */
