/* SPDX-License-Identifier: MIT */
/*
 * liburcu's lock-free stack. What is popped is handed out again at once, so pops exclude each other
 * by the stack's own mutex; the alternative of its manual, a grace period before a node is pushed
 * again, is no way to free an object.
 */
#include <urcu/lfstack.h>

#include <string.h>

#define PEER_NAME "lfstack"

struct raw_stack {
	struct cds_lfs_stack stack;
};

static inline void raw_stack_init(struct raw_stack *s)
{
	cds_lfs_init(&s->stack);
}

static inline void *raw_stack_pop(struct raw_stack *s)
{
	return cds_lfs_pop_blocking(&s->stack);
}

static inline void raw_stack_push(struct raw_stack *s, void *p)
{
	cds_lfs_push(&s->stack, p);
}

#include "raw_stack.h"

static inline const char *peer_version(void)
{
	return "liburcu " BENCH_URCU_VERSION;
}
