/* SPDX-License-Identifier: MIT */
/* The model, see charge_model.h. */
#include "charge_model.h"

struct model_group model_group[MODEL_GROUPS];
struct model_payer model_payer[MODEL_PAYERS];
struct model_object model_object[MODEL_OBJECTS];
int model_groups, model_payers, model_objects;

int model_add_group(int parent, uint64_t max)
{
	model_group[model_groups] =
		(struct model_group){.online = true, .parent = parent, .max = max};
	return model_groups++;
}

int model_add_payer(int group)
{
	model_payer[model_payers] =
		(struct model_payer){.group = group, .origin = MODEL_NONE, .open = true};
	return model_payers++;
}

void model_add_object(int payer, void *obj, uint64_t bytes, bool large)
{
	model_object[model_objects++] = (struct model_object){obj, payer, bytes, large};
	model_payer[payer].bytes += bytes;
	model_payer[payer].objects++;
}

void model_remove_object(int i)
{
	model_payer[model_object[i].payer].bytes -= model_object[i].bytes;
	model_payer[model_object[i].payer].objects--;
	model_object[i] = model_object[--model_objects];
}

uint64_t model_own(int group)
{
	uint64_t sum = 0;

	for (int p = 0; p < model_payers; p++)
		sum += model_payer[p].group == group ? model_payer[p].bytes : 0;
	return sum;
}

uint64_t model_own_objects(int group)
{
	uint64_t sum = 0;

	for (int p = 0; p < model_payers; p++)
		sum += model_payer[p].group == group ? model_payer[p].objects : 0;
	return sum;
}

static bool is_above(int group, int other)
{
	for (; other != MODEL_NONE; other = model_group[other].parent) {
		if (other == group)
			return true;
	}
	return false;
}

uint64_t model_usage(int group)
{
	uint64_t sum = 0;

	for (int p = 0; p < model_payers; p++)
		sum += is_above(group, model_payer[p].group) ? model_payer[p].bytes : 0;
	return sum;
}

static bool fits_below(int group, uint64_t bytes, int end)
{
	for (; group != MODEL_NONE; group = model_group[group].parent) {
		if (end != MODEL_NONE && is_above(group, end))
			break;
		if (model_usage(group) + bytes > model_group[group].max)
			return false;
	}
	return true;
}

bool model_fits(int group, uint64_t bytes)
{
	return fits_below(group, bytes, MODEL_NONE);
}

bool model_may_move(int payer, int to)
{
	return fits_below(to, model_payer[payer].bytes, model_payer[payer].group);
}

bool model_has_children(int group)
{
	for (int g = 0; g < model_groups; g++) {
		if (model_group[g].online && model_group[g].parent == group)
			return true;
	}
	return false;
}

void model_destroy(int group, bool keeps)
{
	model_group[group].online = false;
	for (int p = 0; p < model_payers; p++) {
		struct model_payer *m = &model_payer[p];

		if (m->group != group)
			continue;
		m->group = model_group[group].parent;
		if (keeps && m->origin == MODEL_NONE)
			m->origin = group;
	}
}

bool model_remains(int group)
{
	for (int p = 0; p < model_payers; p++) {
		const struct model_payer *m = &model_payer[p];

		if (m->origin == group && (m->open || m->objects))
			return true;
	}
	return false;
}
