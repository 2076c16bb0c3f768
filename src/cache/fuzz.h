/* SPDX-License-Identifier: MIT */
/*
 * What the hooks of <bma/fuzz.h> change: the guest slot of a thread, and which calls fail. Read in slow halves only.
 */
#ifndef BMA_CACHE_FUZZ_H
#define BMA_CACHE_FUZZ_H

#include "base/base.h"

/*
 * The slot that the thread was given, plus 1; 0: none. Initial exec: handlers read it, and a variable that is made at
 * its first use would be allocated there.
 */
extern _Thread_local uint32_t bma__fuzz_slot __attribute__((tls_model("initial-exec")));

enum bma__fuzz_what { BMA__FUZZ_ALLOC, BMA__FUZZ_REFILL, BMA__FUZZ_WHATS };

/* Each n-th call fails; 0: none. */
extern _Atomic uint64_t bma__fuzz_every;

/* Count one of @what. Returns whether it fails. Any context. */
bool bma__fuzz_count(enum bma__fuzz_what what) __attribute__((cold));
/* Count from 0. */
void bma__fuzz_set(uint64_t every);

static inline bool bma__fuzz_fails(enum bma__fuzz_what what)
{
	return bma__unlikely(atomic_load_explicit(&bma__fuzz_every, memory_order_relaxed)) &&
	       bma__fuzz_count(what);
}

#endif /* BMA_CACHE_FUZZ_H */
