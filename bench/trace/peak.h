/* SPDX-License-Identifier: MIT */
/* The most that was resident, from a given moment on. */
#ifndef PEAK_H
#define PEAK_H

#include <stddef.h>

/** peak_reset - Count from what is resident now. */
void peak_reset(void);
/** peak_bytes - The most since then; 0 if the kernel does not tell. Exact to some dozen pages per CPU. */
size_t peak_bytes(void);

#endif /* PEAK_H */
