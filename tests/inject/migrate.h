/* SPDX-License-Identifier: MIT */
/* What the tracer and the process that it traces share. */
#ifndef BMA_INJECT_MIGRATE_H
#define BMA_INJECT_MIGRATE_H

#include <stdatomic.h>
#include <stdint.h>

struct migrate {
	_Atomic uintptr_t at;	/* where the next breakpoint is to be; 0: none */
	_Atomic uint32_t fired; /* the thread was stopped there and moved */
	/* Futex words: the helper is to run, and has run. */
	_Atomic uint32_t go, done;
};

extern struct migrate *migrate;

/* The CPUs that the thread is moved from and to. */
extern int migrate_from, migrate_to;

void migrate_pin(int tid, int cpu);
void migrate_wait(_Atomic uint32_t *word, uint32_t seen);
void migrate_post(_Atomic uint32_t *word);

/* The traced process. @mode: cid, cpu or guest. Returns an exit code. */
int migrate_traced(const char *mode);

#endif /* BMA_INJECT_MIGRATE_H */
