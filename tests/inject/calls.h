/* SPDX-License-Identifier: MIT */
/* The any-context calls in one shape, as the exported functions and as what a user's file inlines. */
#ifndef BMA_INJECT_CALLS_H
#define BMA_INJECT_CALLS_H

#include "inject.h"

/* One operand or two: cache, reserve, heap or word; object or array; how many, or how large. */
struct calls {
	const char *name;
	inject_fn *alloc, *zeroed, *alloc_bulk;
	inject_fn *free, *free_bulk, *free_rcu, *free_rcu_flags;
	inject_fn *reserve_alloc, *reserve_count, *rcu_stats;
	inject_fn *heap_alloc, *heap_free, *heap_free_sized, *heap_free_rcu;
	inject_fn *percpu_add;
};

extern const struct calls calls_inlined, calls_exported;

#endif /* BMA_INJECT_CALLS_H */
