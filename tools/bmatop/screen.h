/* SPDX-License-Identifier: MIT */
/* The views in a terminal. */
#ifndef BMATOP_SCREEN_H
#define BMATOP_SCREEN_H

#include "view.h"

/* Until the user quits. @delay: milliseconds. False: @why says why there is no screen. */
bool screen_run(struct page *p, enum view view, char sort, int delay, char why[WHY_MOST]);

#endif /* BMATOP_SCREEN_H */
