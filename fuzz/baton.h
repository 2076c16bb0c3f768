/* SPDX-License-Identifier: MIT */
/*
 * Real threads of which one runs at a time, told by a baton: slots, thread exit and readers are those of threads,
 * and the order is the input's. The program's first thread only hands it out: whoever has it may hand it on to
 * another one, and gets it back.
 */
#ifndef FUZZ_BATON_H
#define FUZZ_BATON_H

#include <stdbool.h>

#define BATON_THREADS 4u

/* Are slots and threads of the library left as the machine has them? (BMA_FUZZ_NATIVE) */
bool baton_native(void);
/* Run @call(@arg) on a thread, which is made if need be; it waits there until the call has returned. */
void baton_run(unsigned int thread, void (*call)(void *arg), void *arg);
/* End a thread if it is there; it is outside read sections. Returns whether it was. */
bool baton_exit(unsigned int thread);
/* The thread that runs. */
unsigned int baton_self(void);

#endif /* FUZZ_BATON_H */
