/* SPDX-License-Identifier: MIT */
/* The calls and the paths that each can take. */
#ifndef BMA_INJECT_PATHS_H
#define BMA_INJECT_PATHS_H

#include "world.h"

struct path {
	const char *call, *path;
	void (*run)(void);
	struct shape shape;
	bool full;    /* a hot path: all pairs in the short form, too */
	bool reserve; /* handlers use the reserve */
	bool word;    /* handlers add to the word */
	bool indexed; /* there is no such path where all slots are guests' */
};

extern const struct path paths[];
extern const size_t paths_number;

#endif /* BMA_INJECT_PATHS_H */
