/* SPDX-License-Identifier: MIT */
/* Telling programs by eventfds: thresholds, triggers, lists that run dry. */
#ifndef BMA_GROUP_TELL_H
#define BMA_GROUP_TELL_H

#include <stdint.h>

/* Can @fd be told without waiting? 0; -EBADF; -EINVAL: it would wait. */
int bma__tell_check(int fd);
/* Add @times. One that takes no more has been told enough. Leaves errno alone. */
void bma__tell(int fd, uint64_t times);

#endif /* BMA_GROUP_TELL_H */
