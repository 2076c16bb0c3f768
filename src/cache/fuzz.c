/* SPDX-License-Identifier: MIT */
/* State of the hooks, see fuzz.h. */
#include "cache.h"

_Thread_local uint32_t bma__fuzz_slot __attribute__((tls_model("initial-exec")));
_Atomic uint64_t bma__fuzz_every;
static _Atomic uint64_t counts[BMA__FUZZ_WHATS];

bool bma__fuzz_count(enum bma__fuzz_what what)
{
	uint64_t every = atomic_load_explicit(&bma__fuzz_every, memory_order_relaxed);
	uint64_t n = atomic_fetch_add_explicit(&counts[what], 1, memory_order_relaxed) + 1;

	/* Another thread may have turned it off since the caller looked. */
	return every && n % every == 0;
}

void bma__fuzz_set(uint64_t every)
{
	atomic_store_explicit(&bma__fuzz_every, 0, memory_order_relaxed);
	for (unsigned int i = 0; i < BMA__FUZZ_WHATS; i++)
		atomic_store_explicit(&counts[i], 0, memory_order_relaxed);
	atomic_store_explicit(&bma__fuzz_every, every, memory_order_relaxed);
}
