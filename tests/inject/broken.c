/* SPDX-License-Identifier: MIT */
/*
 * Can the method find faults at all? Each broken twin must be caught by a signal at some instruction, and the
 * good ones must pass at all of them.
 */
#include "inject.h"
#include "registration.h"
#include "twins.h"

#include <bma/stats.h>
#include <stdio.h>
#include <string.h>

#include "test.h"

#define GOT 16

static const struct twin *twin;
static struct twin_node nodes[TWIN_NODES];
static struct twin_node *got[GOT];
static volatile int ngot;

/* All nodes on the list of this thread. */
static void prepare(void)
{
	struct twin_slot *slot;

	memset(twin_slots, 0, sizeof twin_slots);
	slot = twin_slot(twin);
	for (int i = 0; i < TWIN_NODES; i++)
		nodes[i].next = i + 1 < TWIN_NODES ? &nodes[i + 1] : NULL;
	slot->head = nodes;
	slot->count = TWIN_NODES;
	ngot = 0;
	twin_spares_taken = 0;
}

static struct twin_node *pop(void)
{
	return (struct twin_node *)inject_call(twin->pop, NULL, NULL, 0);
}

static void keep(struct twin_node *node)
{
	if (ngot < GOT)
		got[ngot++] = node;
}

static void one(void)
{
	keep(pop());
}

/* The handler runs to its end, so it may push as it likes. Afterwards the first node stands on the second's place. */
static void two_and_back(void)
{
	struct twin_slot *slot = twin_slot(twin);
	struct twin_node *first = pop(), *second = pop();

	keep(second);
	first->next = slot->head;
	slot->head = first;
	slot->count++;
}

static bool put_mark(unsigned char *marks, const struct twin_node *node)
{
	return node < nodes || node >= nodes + TWIN_NODES || !marks[node - nodes]++;
}

static const char *check(void)
{
	unsigned char marks[TWIN_NODES] = {0};

	for (int i = 0; i < ngot; i++) {
		if (!put_mark(marks, got[i]))
			return "a node was handed out twice";
	}
	for (int i = 0; i < TWIN_SLOTS; i++) {
		long n = 0;

		for (struct twin_node *p = twin_slots[i].head; p; p = p->next, n++) {
			if (!put_mark(marks, p))
				return "a node is handed out and on a list";
		}
		if (twin->counts && twin_slots[i].count != n)
			return "the count is wrong";
	}
	for (int i = 0; i < TWIN_NODES; i++) {
		if (!marks[i])
			return "a node is lost";
	}
	return NULL;
}

static bool as_expected(void)
{
	struct inject_case c = {
		.call = "twin",
		.path = twin->name,
		.prepare = prepare,
		.run = one,
		.check = check,
		.program = {one, two_and_back},
		.programs = 2,
		.quiet = twin->broken,
	};
	struct inject_figures f;

	inject_explore(&c, true, &f);
	inject_report(&c, &f);
	return twin->broken ? f.failures > 0 : !f.failures && f.covered == f.instructions;
}

int main(void)
{
	int bad = 0, rc;
	bool dropped = false;

	setvbuf(stdout, NULL, _IOLBF, 0);
	test_pin(0);
	if (!registration_exists()) {
		printf("skipped: this thread is not registered\n");
		return INJECT_SKIP;
	}
	rc = inject_init();
	if (rc)
		return rc;
	for (size_t i = 0; i < twins_number; i++) {
		twin = &twins[i];
		if (twin->unregistered && !dropped && registration_drop())
			return INJECT_BROKEN;
		dropped |= twin->unregistered;
		if (as_expected())
			continue;
		printf("  this is %s\n", twin->broken ? "NOT CAUGHT" : "a false alarm");
		bad++;
	}
	return bad ? INJECT_BAD : INJECT_OK;
}
