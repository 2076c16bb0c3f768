/* SPDX-License-Identifier: MIT */
/* Concurrency Kit's stack, the kind that many threads may push to and pop from. */
/* The angle brackets matter: this file has the same name. */
#include <ck_stack.h>

#include <stddef.h>

#define PEER_NAME "ck-stack"

#ifndef CK_F_STACK_POP_MPMC
#error "Concurrency Kit has no such stack for this machine"
#endif

struct raw_stack {
	ck_stack_t stack;
};

static inline void raw_stack_init(struct raw_stack *s)
{
	ck_stack_init(&s->stack);
}

static inline void *raw_stack_pop(struct raw_stack *s)
{
	return ck_stack_pop_mpmc(&s->stack);
}

static inline void raw_stack_push(struct raw_stack *s, void *p)
{
	ck_stack_push_mpmc(&s->stack, p);
}

#include "raw_stack.h"

static inline const char *peer_version(void)
{
	return BENCH_CK_VERSION;
}
