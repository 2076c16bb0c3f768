/* SPDX-License-Identifier: MIT */
/*
 * Hooks for programs that are tested with made-up input: the same input is to take the same way through
 * the allocator each time, and memory is to run out where a test wants it to. Not for production; not
 * included by <bma/bma.h>. docs/fuzzing.md has an example.
 *
 * They cost nothing where they are not used, but one load and one branch in the slow halves of calls.
 */
#ifndef BMA_FUZZ_H
#define BMA_FUZZ_H

#include <bma/config.h>

BMA_BEGIN_DECLS

/**
 * bma_fuzz_set_slot - From now on the calling thread works in this slot.
 * @slot: any number; taken modulo the number of guest slots, a power of two, at least 8.
 *
 * Which slot a thread works in otherwise depends on the CPU that it runs on. The first call in a process that
 * has no cache chooses guest slots for the process, as BMA_CONF=rseq:off does, and no threads of the library, as
 * worker:off does: what these would do is done by bma_poll() and bma_fuzz_grace_period(). Threads that were
 * running are stopped. Threads may share a slot; one of two that are in it at the same time takes the next. A call that
 * finds its slot and the depot empty looks into the next three.
 *
 * Context: may sleep, outside any read section. The first call: while no other thread is in a call of the
 * library. Later ones are thread-safe.
 * Fork: the child keeps mode and slot.
 * Returns: 0; -EBUSY if a cache exists and the process uses restartable sequences; -ENOMEM if the library
 * could not be set up; what bma_shutdown() returns if threads could not be stopped. Then nothing has changed.
 */
BMA_API int bma_fuzz_set_slot(unsigned int slot);

/**
 * bma_fuzz_fail_after - Let allocations and refills fail.
 * @n: which: each n-th, counted from this call on, allocations and refills each for themselves. 1: all. 0: none.
 *
 * Counted as allocations: calls without %BMA_SLEEP that the slot's magazines cannot serve without the depot; with slots
 * set by bma_fuzz_set_slot(), and in caches that check each call: every one. One that fails returns NULL, as if slot
 * and depot were empty. Counted as refills: each time a magazine's worth of objects is taken out of slabs, by
 * whatever may sleep. One that fails acts as if the system had no memory: bma_cache_alloc_flags() with %BMA_SLEEP,
 * bma_cache_create(), bma_reserve_create() and bma_reserve_refill() report ENOMEM, the worker tries again later.
 * Both are counted in struct bma_cache_stats as the real ones are.
 *
 * Context: any. Thread-safe: which call of several threads is the n-th is as they come.
 * Fork: the child goes on with the parent's counts.
 */
BMA_API void bma_fuzz_fail_after(uint64_t n);

/**
 * bma_fuzz_grace_period - Let everything that waits for a grace period have it, now.
 *
 * As bma_poll() with %BMA_POLL_GP, but without the refilling and draining: what was passed to
 * bma_cache_free_rcu() so far can be allocated again, destructors have run, pages that were given up are with the
 * system. Done by the caller itself where the library has no threads, see bma_fuzz_set_slot(); else the
 * caller waits for these.
 *
 * Context: may sleep, outside any read section; the readers of other threads are waited for. Thread-safe.
 * Returns: 0; -EDEADLK if something waits for a flavour in a read section of which the caller is; -ETIMEDOUT
 * as for bma_trim(); -ENOMEM if the library could not be set up.
 */
BMA_API int bma_fuzz_grace_period(void);

BMA_END_DECLS

#endif /* BMA_FUZZ_H */
