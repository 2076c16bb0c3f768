/* SPDX-License-Identifier: MIT */
/* How much memory the process may have at most, as far as the system tells. */
#ifndef BMA_BASE_RAM_H
#define BMA_BASE_RAM_H

#include <stdint.h>

/*
 * Bytes: the least of the machine's memory and the limit of the process's cgroup (memory.max, or memory.limit_in_bytes of
 * version 1) and of those above it. Never fails: a limit that cannot be read is none. May sleep.
 */
uint64_t bma__ram_bytes(void);

#endif /* BMA_BASE_RAM_H */
