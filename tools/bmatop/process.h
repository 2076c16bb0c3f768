/* SPDX-License-Identifier: MIT */
/* The process behind a page, and which processes have one. */
#ifndef BMATOP_PROCESS_H
#define BMATOP_PROCESS_H

#include "page.h"

#include <stdio.h>

#define PAGES_DIR "/dev/shm"

/* What became of the process and of its page, in words for people. */
const char *process_state(const struct page *p, char to[64]);
bool process_has_ended(const struct page *p);
/* The page of @pid, or why there is none. */
bool process_find(int pid, char *path, size_t size, char why[WHY_MOST]);
/* A line for each process that exports. Returns how many. */
int process_list(FILE *out);

/* Remove the page of @pid, or those of all processes, if they have ended, as far as we may. Returns how many. */
int process_clean(int pid);

#endif /* BMATOP_PROCESS_H */
