/* SPDX-License-Identifier: MIT */
/* The part of the scenario that has groups. */
#ifndef BMA_FAULTS_SCENARIO_GROUP_H
#define BMA_FAULTS_SCENARIO_GROUP_H

/* While calls into the operating system may fail. */
void scenario_group_play(void);
/* With nothing failing any more: all must be served and go back, and nobody is charged for anything. */
void scenario_group_end(void);

#endif /* BMA_FAULTS_SCENARIO_GROUP_H */
