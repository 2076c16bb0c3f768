/* SPDX-License-Identifier: MIT */
/* The any-context calls in one shape, as the exported functions and as what a user's file inlines. */
#ifndef BMA_INJECT_CALLS_H
#define BMA_INJECT_CALLS_H

#include "inject.h"

/* One operand or two: cache or reserve; object or array; how many. */
struct calls {
	const char *name;
	inject_fn *alloc, *zeroed, *alloc_bulk;
	inject_fn *free, *free_bulk, *free_rcu, *free_rcu_flags;
	inject_fn *reserve_alloc, *reserve_count, *rcu_stats;
};

extern const struct calls calls_inlined, calls_exported;

#endif /* BMA_INJECT_CALLS_H */
