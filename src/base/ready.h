/* SPDX-License-Identifier: MIT */
/*
 * Whether the library has been used: settings, mode, topology and planes are made by the first call that creates, and stay. Calls on
 * a handle or an object need not ask, for who has one got it from its creator. Those that ask for the whole process, or whether an address is ours,
 * may run on one thread while the first use is in progress on another, and read none of it before this says so.
 * Ordering: MO-18 (docs/memory-ordering.md).
 */
#ifndef BMA_BASE_READY_H
#define BMA_BASE_READY_H

#include <stdatomic.h>
#include <stdbool.h>

/* Stored by bma__init() alone, with release. */
extern _Atomic bool bma__ready;

/* Any context. */
static inline bool bma__is_ready(void)
{
	return atomic_load_explicit(&bma__ready, memory_order_acquire);
}

#endif /* BMA_BASE_READY_H */
