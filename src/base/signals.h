/* SPDX-License-Identifier: MIT */
/* No handlers for a while: what one interrupts must not be gone on with by a child that it forked. */
#ifndef BMA_BASE_SIGNALS_H
#define BMA_BASE_SIGNALS_H

#include <sys/select.h> /* sigset_t, and no function that others may want to name theirs after */

/* All but faults, of the calling thread. @was: for bma__signals_restore(). */
void bma__signals_block(sigset_t *was);
void bma__signals_restore(const sigset_t *was);

#endif /* BMA_BASE_SIGNALS_H */
