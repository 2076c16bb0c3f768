/* SPDX-License-Identifier: MIT */
/* The slow halves of calls begin with a step along the tape: mostly that is all there is to do. */
#ifndef BMA_CACHE_STEP_H
#define BMA_CACHE_STEP_H

#include "slot.h"

/* NULL: it takes more than a step. Any context. */
static inline __attribute__((always_inline)) void *bma__step_alloc(struct bma__engine *e)
{
#if BMA__RSEQ_BUILT
	void *obj;

	BMA__STEP_POP(&e->head, obj, slow);
	return obj;
slow:
	bma__rseq_clear();
#else
	(void)e;
#endif
	return NULL;
}

/* Any context. */
static inline __attribute__((always_inline)) void bma__step_free(struct bma__engine *e, void *obj)
{
#if BMA__RSEQ_BUILT
	BMA__STEP_PUSH(&e->head, obj, slow);
	return;
slow:
#endif
	bma__rseq_clear();
	bma__slot_free(e, obj);
}

#endif /* BMA_CACHE_STEP_H */
