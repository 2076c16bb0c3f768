/* SPDX-License-Identifier: MIT */
/*
 * Restartable sequences of the slow half. Those of the hot calls are in <bma/inline/>.
 *
 * BMA__RSEQ_BUILT: 0 on machines without code for them, with a C library that does not register, in
 * builds made without them, and under ThreadSanitizer, which cannot see into assembly.
 *
 * The one sequence needed here, in pseudo-code:
 *	bma__rseq_load_cbne_check_cbne_load_cbne_store(index, freeze, word, old, new):
 *		if the current index != index -> fail
 *		if *freeze != 0 -> fail
 *		if *word != old -> fail
 *		*word = new		(commit)
 * Aborted by preemption, migration or a signal: fail. Failure changes nothing; the caller looks
 *again.
 */
#ifndef BMA_BASE_RSEQ_H
#define BMA_BASE_RSEQ_H

#include <stdbool.h>
#include <stdint.h>

#include <bma/cache.h>

#if defined(BMA_NO_INLINE) || defined(BMA_NO_RSEQ)
#define BMA__RSEQ_BUILT 0
#else
#define BMA__RSEQ_BUILT 1
#endif

#define BMA__RSEQ_CPU_ID 4
#define BMA__RSEQ_CS 8

#if BMA__RSEQ_BUILT
#include <sys/rseq.h>

static inline char *bma__rseq_area(void)
{
	return (char *)__builtin_thread_pointer() + __rseq_offset;
}

/* Is the calling thread registered? */
static inline bool bma__rseq_registered(void)
{
	return *(volatile int32_t *)(bma__rseq_area() + BMA__RSEQ_CPU_ID) >= 0;
}

static inline uint32_t bma__rseq_read(uint64_t offset)
{
	return *(volatile uint32_t *)(bma__rseq_area() + offset);
}

/* Forget the descriptor of an inlined sequence that left by its slow exit: it may be unloaded. */
static inline void bma__rseq_clear(void)
{
	*(volatile uint64_t *)(bma__rseq_area() + BMA__RSEQ_CS) = 0;
}

#if defined(__x86_64__)
#include "rseq_x86_64.h"
#elif defined(__aarch64__)
#include "rseq_aarch64.h"
#endif

#else /* !BMA__RSEQ_BUILT */

static inline bool bma__rseq_registered(void)
{
	return false;
}

static inline uint32_t bma__rseq_read(uint64_t offset)
{
	(void)offset;
	return 0;
}

static inline void bma__rseq_clear(void)
{
}

static inline bool bma__rseq_load_cbne_check_cbne_load_cbne_store(uint64_t index_offset,
								  uint32_t index,
								  const _Atomic uint32_t *freeze,
								  void *word, uint64_t old,
								  uint64_t new)
{
	(void)index_offset, (void)index, (void)freeze, (void)word, (void)old, (void)new;
	return false;
}
#endif

#endif /* BMA_BASE_RSEQ_H */
