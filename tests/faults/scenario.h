/* SPDX-License-Identifier: MIT */
/* What a program does with the library, while calls into the operating system may fail. */
#ifndef BMA_FAULTS_SCENARIO_H
#define BMA_FAULTS_SCENARIO_H

/*
 * Every call that may fail is made, and must fail as documented if it fails. Objects are kept, and checked
 * against what was written to them.
 */
void scenario_play(void);

/* With nothing failing any more: all must be served, come home, and go back to the system. */
void scenario_end(void);

/* How many creations failed in between. */
long scenario_refused(void);

/* How many caches could not be destroyed because the system refused a fence. */
long scenario_kept(void);

#endif /* BMA_FAULTS_SCENARIO_H */
