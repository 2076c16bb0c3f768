/* SPDX-License-Identifier: MIT */
/* The part of the scenario that has heaps. */
#ifndef BMA_FAULTS_SCENARIO_HEAP_H
#define BMA_FAULTS_SCENARIO_HEAP_H

#include <stdbool.h>

/* With all of 80 classes, and large objects; in runs that there are not many of, for this takes time. */
extern bool scenario_heap_all;

/* While calls into the operating system may fail. */
void scenario_heap_play(void);
/* With nothing failing any more: all must be served and go back. */
void scenario_heap_end(void);

#endif /* BMA_FAULTS_SCENARIO_HEAP_H */
