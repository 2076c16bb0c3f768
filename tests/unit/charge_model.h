/* SPDX-License-Identifier: MIT */
/*
 * A plain model of who is charged for what: arrays, sums that are made anew each time. It shares nothing with the library but the rules of <bma/group.h>.
 */
#ifndef BMA_UNIT_CHARGE_MODEL_H
#define BMA_UNIT_CHARGE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_GROUPS 400
#define MODEL_PAYERS 400
#define MODEL_OBJECTS 3000
#define MODEL_NONE (-1)

struct model_group {
	bool online;
	int parent;
	uint64_t max;
};

struct model_payer {
	int group;
	int origin; /* the first group that kept its name when it was destroyed */
	bool open;
	uint64_t bytes, objects;
};

struct model_object {
	void *obj;
	int payer;
	uint64_t bytes;
	bool large;
};

extern struct model_group model_group[MODEL_GROUPS];
extern struct model_payer model_payer[MODEL_PAYERS];
extern struct model_object model_object[MODEL_OBJECTS];
extern int model_groups, model_payers, model_objects;

int model_add_group(int parent, uint64_t max);
int model_add_payer(int group);
void model_add_object(int payer, void *obj, uint64_t bytes, bool large);
void model_remove_object(int i);
/* Bytes of @group alone, and with all below it; objects of it alone. */
uint64_t model_own(int group);
uint64_t model_usage(int group);
uint64_t model_own_objects(int group);
/* Do @bytes more fit into @group and all above it? */
bool model_fits(int group, uint64_t bytes);
/* Does what @payer is charged for fit into @to, with what is above both left out? */
bool model_may_move(int payer, int to);
bool model_has_children(int group);
/* Its payers are its parent's; @keeps: its name, for these. */
void model_destroy(int group, bool keeps);
/* Is anything left of an offline one? */
bool model_remains(int group);

#endif /* BMA_UNIT_CHARGE_MODEL_H */
