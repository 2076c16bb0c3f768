/* SPDX-License-Identifier: MIT */
/*
 * Restartable sequences of the slow half. Those of the hot calls are in <bma/inline/>.
 *
 * BMA__RSEQ_BUILT: 0 on machines without code for them, with a C library that does not register, in
 * builds made without them, and under ThreadSanitizer, which cannot see into assembly.
 *
 * A magazine in a slot has its neighbours' base addresses in its first 16 bytes: prev (full ones), next
 * (empty ones). BMA__STEP_POP and BMA__STEP_PUSH are the hot calls and, where these would leave by their
 * slow exit, one step along that chain; in pseudo-code, for the word of the slot that the caller is on:
 *
 *	pop:	if the magazine is not empty: obj = *word, new = word - 8
 *		else prev = its prev link; if there is none -> slow
 *		     prev's next link = this magazine; obj = its top, new = one below
 *		*slot = new						(commit)
 *	push:	if the magazine is not full: new = word + 8
 *		else next = its next link; if there is none -> slow
 *		     next's prev link = this magazine; new = its first element
 *		*new = obj; *slot = new					(commit)
 *
 * The link written before the commit is what it should be in any case, so an abort after it does no harm.
 *
 * bma__rseq_change(index, slot, word, freeze, gen, old, new), for all other changes of a word of a slot:
 *		if the current index != index -> fail
 *		if *freeze != 0 or slot->gen != gen or *word != old -> fail
 *		slot->gen = gen + 1	(an abort after it only makes somebody look again)
 *		*word = new		(commit)
 * Aborted by preemption, migration or a signal: fail. Failure changes nothing; the caller looks again.
 *
 * Stocks (cache/record.h) are words of per-CPU objects. One with the sign bit set is frozen: it is less than anything to the first of these, and more to the second:
 *
 *	BMA__STOCK_TAKE: if the word is less than n -> slow; word -= n		(commit)
 *	BMA__STOCK_GIVE: if word + n is more than the cap -> slow; word += n	(commit)
 *
 * BMA__TAKE_POP and BMA__GIVE_PUSH do that and the hot call of a slot in one sequence, which then has two stores: the stock and then, as the commit, the slot; or the slot and then the
 * stock. The first one is made by an instruction that changes a register with it, so the abort handler sees whether it was made. If it was, the caller goes on at the label @half, with
 * the other half still to be done. Where there is no such instruction the two are done one after the other.
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

/* Offset of the generation in a slot. */
#define BMA__RSEQ_GEN 20
/* Offsets in a record: where its stocks are, and how much one holds at most. */
#define BMA__RSEQ_WORDS 0
#define BMA__RSEQ_CAP 8

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

static inline bool bma__rseq_change(uint64_t index_offset, uint32_t index, void *slot, void *word,
				    void *freeze, uint32_t gen, uint64_t old, uint64_t new)
{
	(void)index_offset, (void)index, (void)slot, (void)word, (void)freeze, (void)gen;
	(void)old, (void)new;
	return false;
}
#endif

#endif /* BMA_BASE_RSEQ_H */
