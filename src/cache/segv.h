/* SPDX-License-Identifier: MIT */
/* Says which object a guard page belongs to that was touched, before the signal ends the process. */
#ifndef BMA_CACHE_SEGV_H
#define BMA_CACHE_SEGV_H

/* Handle SIGSEGV, if the program does not. May sleep. */
void bma__segv_init(void);

#endif /* BMA_CACHE_SEGV_H */
