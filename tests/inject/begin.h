/* SPDX-License-Identifier: MIT */
/* How a program that interrupts calls begins. */
#ifndef BMA_INJECT_BEGIN_H
#define BMA_INJECT_BEGIN_H

/*
 * Initialise the library with slots of @mode: cid, cpu or guest; then the traps. A crash, and a run of more than @seconds
 * (0: any), end the process and say where. Returns INJECT_OK or INJECT_SKIP, having said why.
 */
int inject_begin(const char *mode, unsigned int seconds);

#endif /* BMA_INJECT_BEGIN_H */
