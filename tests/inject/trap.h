/* SPDX-License-Identifier: MIT */
/* Breakpoints and single steps in the calling thread's own program. */
#ifndef BMA_INJECT_TRAP_H
#define BMA_INJECT_TRAP_H

#include "inject.h"

/* What is recorded. The thread must be faked (registration.h) for all but TRAP_NOTHING. */
enum trap_record {
	TRAP_NOTHING,
	TRAP_CALL,    /* the call */
	TRAP_HANDLER, /* what the handler at the first breakpoint calls */
	TRAP_REST,    /* the call from the first breakpoint on */
};

/* @second is in what the handler calls, or (@in_rest) in the rest of the call. 0: no breakpoint. */
struct trap_plan {
	uintptr_t first, second;
	bool in_rest;
	void (*program)(void), (*inner)(void); /* at the first, at the second */
	enum trap_record record;
};

struct trap_result {
	int fired;  /* breakpoints come to */
	int aborts; /* of these within a sequence, which the kernel left */
};

struct trap_result trap_run(const struct trap_plan *plan, void (*call)(void));

/* Distinct addresses of the last recording, in the order of their first run. */
extern uintptr_t trap_list[INJECT_LIST];
extern size_t trap_listed;
/* Were there more? */
extern bool trap_overflow;

/* The program's text. */
extern uintptr_t trap_text, trap_text_end;

#endif /* BMA_INJECT_TRAP_H */
