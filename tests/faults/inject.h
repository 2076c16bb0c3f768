/* SPDX-License-Identifier: MIT */
/* Calls into the operating system that fail when they are told to. */
#ifndef BMA_FAULTS_INJECT_H
#define BMA_FAULTS_INJECT_H

#include <stdbool.h>

enum inject_kind {
	INJECT_MAP,
	INJECT_UNMAP,
	INJECT_ADVISE,
	INJECT_BIND,
	INJECT_MEMBARRIER,
	INJECT_FUTEX_WAIT,
	INJECT_THREAD,
	INJECT_FILE, /* open, read, watch one, wait */
	INJECT_ALL,  /* the n-th of them all together */
	INJECT_KINDS
};

extern const char *const inject_names[INJECT_KINDS];

/* From now on the @n-th call of @kind fails, and if @forever every one after it. */
void inject_arm(enum inject_kind kind, long n, bool forever);
/* The failure is over. */
void inject_disarm(void);
/* How many calls failed since the start. */
long inject_failed(void);

#endif /* BMA_FAULTS_INJECT_H */
