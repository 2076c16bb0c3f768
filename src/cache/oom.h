/* SPDX-License-Identifier: MIT */
/*
 * Out of memory: who is asked, in which order, and what is done to whom. Reclaim has found nothing.
 *
 *	up to three times:
 *		the victim: the first candidate of a list of preferred ones, else what the policies say from the group that ran out up to the root, else the built-in choice
 *		its release function runs, on the worker, and the caller waits; what it freed is brought home
 *		what is charged to the group fell: that is progress; there is room: done. It did not: this victim is not offered again.
 *
 * No lock is held in calls of the user's functions, and who is in one, or in here, does not come here again.
 */
#ifndef BMA_CACHE_OOM_H
#define BMA_CACHE_OOM_H

#include "pressure.h"

/* @group refused @p: true: try again. May sleep. */
bool bma__oom_relieve(struct bma__pressure *p, struct bma_group *group);
/* Is the calling thread in here already, or in a release function? */
bool bma__oom_inside(void);
/* Run the release functions that somebody waits for: the worker. May sleep. */
void bma__oom_serve(void);

#endif /* BMA_CACHE_OOM_H */
