/* SPDX-License-Identifier: MIT */
/*
 * Slot index: which per-CPU place belongs to whoever runs now.
 *
 * Chosen once, before the first slot is used, and kept by fork:
 *  - mm_cid of the rseq area, where the kernel keeps it (6.3 and later) and the process may run on one NUMA node's CPUs only;
 *  - else its cpu_id;
 *  - no index (guest slots only), where the kernel, the C library or this build has no restartable
 *    sequences, or membarrier cannot fence them.
 * AT_RSEQ_FEATURE_SIZE tells what the kernel fills in; __rseq_size does not (20 natively, 32 in
 * another C library, 0 under emulation). The rseq area is only read, apart from rseq_cs.
 */
#ifndef BMA_BASE_CPU_H
#define BMA_BASE_CPU_H

#include <bma/stats.h>
#include <stdbool.h>
#include <stdint.h>

#define BMA__SLOTS_MAX 8192u
#define BMA__GUESTS_MAX 64u

struct bma__cpu {
	enum bma_mode mode;
	const char *reason;
	uint64_t index;	 /* offset of the index word in the rseq area */
	uint32_t slots;	 /* indices that exist: one for each bit of the kernel's CPU mask */
	uint32_t guests; /* guest slots beyond them; a power of two */
	/* Indices that can come up: the kernel's possible CPUs, which are fewer than bits in its mask. */
	uint32_t possible;
};

extern struct bma__cpu bma__cpu;

/* Choose the mode and read the topology. */
void bma__cpu_init(void);

/* Membarrier for rseq: every sequence that ran when this was called has ended or been aborted. */
int bma__cpu_fence(void);

/* Once more in a child of fork: the registration for the fence belongs to the address space. */
int bma__cpu_register(void);

/* The thread, as a word that is never 0; for owner words. */
static inline uintptr_t bma__cpu_thread(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

#endif /* BMA_BASE_CPU_H */
