/* SPDX-License-Identifier: MIT */
/*
 * Every call into the operating system that can fail, behind one table, so that tests can make the
 * n-th one fail. All return what the C wrapper would, but a negative errno instead of -1.
 */
#ifndef BMA_BASE_OS_H
#define BMA_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* A set of NUMA nodes, by the numbers of the operating system, which are below this. */
#define BMA__OS_NODES_MAX 1024u
struct bma__os_nodes {
	unsigned long bits[BMA__OS_NODES_MAX / (8 * sizeof(unsigned long))];
};

static inline void bma__os_nodes_add(struct bma__os_nodes *nodes, uint32_t os)
{
	uint32_t word = 8 * sizeof nodes->bits[0];

	nodes->bits[os / word] |= 1ul << os % word;
}

enum { BMA__WAIT_NOTHING, BMA__WAIT_TOLD, BMA__WAIT_STOP };

struct bma__os {
	/* Anonymous private memory, zero-filled, not reserved in swap; NULL on failure. */
	void *(*map)(size_t bytes);
	int (*unmap)(void *addr, size_t bytes);
	int (*advise)(void *addr, size_t bytes, int advice);
	/* Prefer the one node of @nodes for a range, or @interleave its pages over all of them. */
	int (*bind)(void *addr, size_t bytes, const struct bma__os_nodes *nodes, bool interleave);
	/* Which node each of @n pages is on; a negative errno in @where for one that is nowhere. */
	int (*where)(void *const *pages, size_t n, int *where);
	int (*membarrier)(int cmd);
	int (*futex_wait)(_Atomic uint32_t *word, uint32_t seen, const struct timespec *timeout);
	int (*thread_create)(void *(*main)(void *), void *arg, void *handle);
	/* Memory that a file of this name is, made anew, for its owner only, all of it there; a child of fork does not have it. Returns 0 or a negative errno. */
	int (*share)(const char *path, size_t bytes, void **to);
	/* As rseq(2). */
	int (*rseq)(void *area, uint32_t length, int flags, uint32_t signature);
	/* What a file begins with, up to @room bytes; returns how many. */
	int (*read)(const char *path, char *text, size_t room);
	/* A descriptor of a file that @what was written to, for wait(). */
	int (*watch)(const char *path, const char *what);
	/* One that is to be written to, to end a wait. */
	int (*event)(void);
	/*
	 * Wait for what the one tells, by POLLPRI, or for something to read from the other; either may be -1. @ms: for no longer than that, -1:
	 * for ever. Returns BMA__WAIT_*.
	 */
	int (*wait)(int told, int stop, int ms);
};

extern struct bma__os bma__os;
/* The table as it is without a test. */
extern const struct bma__os bma__os_real;

/*
 * Wake waiters of @word. Async-signal-safe, leaves errno alone; cannot fail in a way that matters:
 * a waiter that was missed has a timeout.
 */
void bma__os_futex_wake(_Atomic uint32_t *word, int waiters);

/* Map @bytes at a multiple of @align (a power of two, both multiples of the page size). */
void *bma__os_map_aligned(size_t bytes, size_t align);

/*
 * Ask the scheduler to run the calling thread soon after it was woken, for it runs for a short time only: by a short
 * time slice, where the kernel has these (6.12 and later). No harm where it has not.
 */
void bma__os_prompt(void);

/* Let the caller sleep for @ns nanoseconds. */
void bma__os_sleep(uint64_t ns);

/* Monotonic time in nanoseconds. */
uint64_t bma__os_now(void);

#endif /* BMA_BASE_OS_H */
