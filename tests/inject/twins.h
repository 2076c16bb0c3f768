/* SPDX-License-Identifier: MIT */
/*
 * Twins of the hot pop: a list of nodes per index, popped by a sequence as the library's is, and the same with one
 * fault each.
 */
#ifndef BMA_INJECT_TWINS_H
#define BMA_INJECT_TWINS_H

#include "inject.h"

#define TWIN_SLOTS 1024
#define TWIN_NODES 12

struct twin_node {
	struct twin_node *next;
};

/* 64 bytes, which the sequences know. */
struct twin_slot {
	struct twin_node *head;
	long count; /* of nodes, by the twins that count */
	char pad[48];
};

struct twin {
	const char *name;
	inject_fn *pop;
	bool by_cid;	   /* the slot is that of the concurrency id, not of the CPU */
	bool counts;	   /* it keeps the slot's count */
	bool unregistered; /* run in a thread that is not registered */
	bool broken;
};

extern const struct twin twins[];
extern const size_t twins_number;

extern struct twin_slot twin_slots[TWIN_SLOTS];
/* For threads without an index, and for who finds his list empty. */
extern struct twin_node twin_spare[TWIN_NODES];
extern unsigned int twin_spares_taken;

/* The slot of this thread as the twin sees it. */
struct twin_slot *twin_slot(const struct twin *t);

#endif /* BMA_INJECT_TWINS_H */
