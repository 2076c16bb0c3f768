/* SPDX-License-Identifier: MIT */
/*
 * Tools that watch a program's memory: AddressSanitizer, MemorySanitizer, valgrind's memcheck. Where one runs it is told
 * which objects the user has: all other bytes of slabs are out of bounds for him.
 *
 * The sanitizers are found by their symbols, which are there if the program was built with one, whether the library was or
 * not; valgrind by its request, which does nothing elsewhere. Builds with BMA_TOOLS=OFF, and BMA_CONF=tools:off, know of none.
 *
 * Invariant: bytes of a slab are accessible to the user from bma__tools_taken() to bma__tools_given(), and to constructors and
 * destructors from bma__tools_open() to bma__tools_close(). The library itself reads and writes free objects only where no
 * tool runs.
 */
#ifndef BMA_BASE_TOOLS_H
#define BMA_BASE_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

struct bma__tools {
	bool any, address, memory, valgrind;
};

extern struct bma__tools bma__tools;

/* Look which there are. Once, before anything else here. */
void bma__tools_init(void);

/* Memory becomes that of a slab, or is that no more. */
void bma__tools_slab(void *base, size_t bytes, bool begins);
/* A pool, named by an address, begins or ends. */
void bma__tools_pool(const void *pool, bool begins);
/* The user gets an object; @fresh: what stands in it means nothing. Any context. */
void bma__tools_taken(const void *pool, void *obj, size_t size, bool fresh);
/* Nobody may look at it any more. Any context. */
void bma__tools_given(const void *pool, void *obj, size_t size);
/* Pointers to objects stay behind in memory of the library: they do not keep what the user loses. Nobody reads them again. */
void bma__tools_forget(void *objs, size_t size);
/* A constructor or destructor gets an object that is nobody's. */
void bma__tools_open(void *obj, size_t size);
void bma__tools_close(void *obj, size_t size);

#endif /* BMA_BASE_TOOLS_H */
