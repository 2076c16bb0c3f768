/* SPDX-License-Identifier: MIT */
/*
 * A signal at every instruction of every any-context call, on every path, in both forms. Arguments: cid, cpu
 * or guest; then "all" for all pairs of signals; then the name of a call, for that one only.
 */
#include "begin.h"
#include "inject.h"
#include "ledger.h"
#include "paths.h"

#include <stdio.h>
#include <string.h>

#include "test.h"

static bool all;
static const char *only;
static struct inject_figures total;
static uint64_t starved;

/* So long may a run without "all" take. */
#define SECONDS 200

static bool one(const struct path *p)
{
	struct inject_case c = {
		.call = p->call,
		.path = p->path,
		.prepare = world_restore,
		.run = p->run,
		.check = world_check,
		.program = {ledger_alloc, ledger_free, ledger_two_and_back, ledger_free_rcu,
			    ledger_bulk_and_back, ledger_magazine_and_back,
			    ledger_magazine_to_limbo, ledger_left_and_home, ledger_right_and_home},
		.programs = INJECT_PROGRAMS,
		.full = p->full,
		/* The slow halves are the same in both forms. */
		.once = !p->full && ledger_calls != &calls_inlined,
	};
	struct inject_figures f;
	const char *wrong;
	bool good;

	if (p->reserve)
		c.program[0] = ledger_reserve_and_back;
	if (p->word)
		c.program[0] = ledger_add_twice;
	world_make(&p->shape);
	inject_explore(&c, all, &f);
	good = inject_report(&c, &f);
	starved += world.starved;
	wrong = world_end();
	if (wrong)
		printf("  %s\n", wrong);
	inject_add(&total, &f);
	return good && !wrong;
}

static int form(const struct calls *calls)
{
	int bad = 0;

	ledger_calls = calls;
	printf("-- %s\n", calls->name);
	for (size_t i = 0; i < paths_number; i++) {
		if (paths[i].indexed && bma__cpu.mode == BMA_MODE_GUEST)
			continue;
		if (only && strcmp(only, paths[i].call))
			continue;
		bad += !one(&paths[i]);
	}
	return bad;
}

int main(int argc, char **argv)
{
	int rc, bad;

	all = argc > 2 && !strcmp(argv[2], "all");
	only = argc > 3 ? argv[3] : NULL;
	test_pin(0);
	rc = inject_begin(argc > 1 ? argv[1] : "cid", all ? 0 : SECONDS);
	if (rc)
		return rc;
	bad = form(&calls_inlined) + form(&calls_exported);
	printf("%zu of %zu instructions, %zu runs, %zu aborts, %zu tried again, %zu pairs, %zu "
	       "again, "
	       "%zu missed, %zu failures\n",
	       total.covered, total.instructions, total.runs, total.aborts, total.retries,
	       total.pairs, total.again, total.missed, total.failures);
	if (starved)
		printf("%llu allocations found nothing, though a guest slot had some\n",
		       (unsigned long long)starved);
	return bad ? INJECT_BAD : INJECT_OK;
}
