/* SPDX-License-Identifier: MIT */
/*
 * Every call into the operating system that can fail, behind one table, so that tests can make the
 * n-th one fail. All return what the C wrapper would, but a negative errno instead of -1.
 */
#ifndef BMA_BASE_OS_H
#define BMA_BASE_OS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct bma__os {
	/* Anonymous private memory, zero-filled, not reserved in swap; NULL on failure. */
	void *(*map)(size_t bytes);
	int (*unmap)(void *addr, size_t bytes);
	int (*advise)(void *addr, size_t bytes, int advice);
	/* Prefer one node for a range. */
	int (*bind)(void *addr, size_t bytes, unsigned int node);
	int (*membarrier)(int cmd);
	int (*futex_wait)(_Atomic uint32_t *word, uint32_t seen, const struct timespec *timeout);
	int (*thread_create)(void *(*main)(void *), void *arg, void *handle);
	/* As rseq(2). */
	int (*rseq)(void *area, uint32_t length, int flags, uint32_t signature);
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
