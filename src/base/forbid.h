/* SPDX-License-Identifier: MIT */
/*
 * A guard around a user's function that must not allocate.
 *
 * Inlined calls ask nobody: all that they test is whether the kernel knows the thread's rseq area. So the guard takes the thread's registration back for as long
 * as the function runs. Then each call comes to its slow half, and there, where a sequence has failed already, this is asked; who is not in a guard pays nothing for
 * it. Where the kernel refuses to take the registration back, what the slot has is still given out.
 *
 * A handler that interrupts the function would find its own allocations refused: so signals wait until the end, but for those that tell of a fault of the
 * function itself.
 */
#ifndef BMA_BASE_FORBID_H
#define BMA_BASE_FORBID_H

#include "signals.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bma__forbid {
	uint64_t violations; /* calls that were refused */
	uint32_t length;     /* of the area whose registration was taken back, 0: none was */
	sigset_t signals;    /* as they were */
};

/* The calling thread's guard, or NULL. */
extern _Thread_local struct bma__forbid *bma__forbidding __attribute__((tls_model("initial-exec")));

/* Not in a guard already. May sleep. Both leave errno alone. */
void bma__forbid_begin(struct bma__forbid *f);
void bma__forbid_end(struct bma__forbid *f);

static inline bool bma__forbidden(void)
{
	return __builtin_expect(bma__forbidding != NULL, 0);
}

/* Is the caller's allocation to be refused? Then that is counted. Any context. */
static inline bool bma__forbid_refuses(void)
{
	if (!bma__forbidden())
		return false;
	bma__forbidding->violations++;
	return true;
}

#endif /* BMA_BASE_FORBID_H */
