/* SPDX-License-Identifier: MIT */
/* The calling thread's registration for restartable sequences: given up, faked, taken again. */
#ifndef BMA_INJECT_REGISTRATION_H
#define BMA_INJECT_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>

/* Did the C library register this thread? */
bool registration_exists(void);
/*
 * Unregister, and let the area read as before, so that the same code runs and nothing aborts it. Registered again by
 * registration_restore(). Both: nothing where there is no registration. Return 0, or -1 with errno.
 */
int registration_fake(void);
int registration_restore(void);
/* Unregister for good: the area reads what the kernel leaves there, a negative CPU and concurrency id 0. */
int registration_drop(void);
/*
 * What the kernel does to a thread that it interrupts at @ip, for a thread that is faked: the address to go on at, which is
 * the abort handler's if @ip is in the sequence that the area names, else @ip; the area names none any more. A thread that is not
 * registered at all is left alone.
 */
uintptr_t registration_abort(uintptr_t ip);

#endif /* BMA_INJECT_REGISTRATION_H */
