/* SPDX-License-Identifier: MIT */
/* Threads of the library: all signals blocked, never a reader of any RCU flavour. */
#ifndef BMA_BASE_THREAD_H
#define BMA_BASE_THREAD_H

#include <pthread.h>

/* Start a thread that runs @main(@arg) with every signal blocked. Returns 0 or a negative errno. */
int bma__thread_start(pthread_t *thread, const char *name, void *(*main)(void *), void *arg);

#endif /* BMA_BASE_THREAD_H */
