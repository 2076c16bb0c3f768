/* SPDX-License-Identifier: MIT */
/*
 * One case: its list of instructions, a signal at each, and pairs of signals.
 *
 * once:	at each instruction k, each program
 * pairs:	at k, and at each instruction j of what the handler calls there
 * again:	at k, and at each instruction m of the rest of the call, which differs if k aborted a sequence
 *
 * Which j and m there are is found at run time, too, for each k, in a run without registration. In the short form of
 * a case that is not "full" there is one program for each k, and j and m advance by a stride that leaves about
 * SHORT_PAIRS of them; where the walk begins turns with k, so that small strides do not miss the same ones always.
 * Steps are what costs, so there the list of a program serves for the next k of that program, too: some of its j
 * and m are then not come to.
 *
 * A preemption aborts a sequence, too, and the call may then take another way: such a run, in which a breakpoint was
 * not come to, is tried again.
 */
#include "inject.h"
#include "registration.h"
#include "trap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 8
#define LIST_EVERY 64u
#define SHORT_PAIRS 1500u
/* A hot path of more instructions than this is not "full" in the short form: all slots are guests'. */
#define HOT_LIST 40u

static const struct inject_case *now;
static const struct trap_plan *running;
static struct inject_figures *sum;
static uintptr_t list[INJECT_LIST];

/* Instructions that may be interrupted second: by program, in the handler's calls and in the rest of the call. */
static struct inner {
	uintptr_t at[INJECT_LIST];
	size_t n;
	size_t age; /* instructions k since it was made */
} inner_lists[INJECT_PROGRAMS][2];

static void fail(const struct trap_plan *p, int program, const char *wrong)
{
	/* The simplest one is told. */
	if (sum->failures++ && (p->second || !sum->second))
		return;
	sum->first = wrong;
	sum->at = p->first;
	sum->second = p->second;
	sum->program = program;
}

static int faked(const struct trap_plan *p)
{
	if (registration_fake()) {
		perror("rseq, unregister");
		exit(INJECT_BROKEN);
	}
	now->prepare();
	running = p;
	trap_run(p, now->run);
	if (registration_restore()) {
		perror("rseq, register");
		exit(INJECT_BROKEN);
	}
	return trap_overflow;
}

size_t inject_list(const struct inject_case *c, uintptr_t *to, const char **wrong)
{
	struct trap_plan p = {.record = TRAP_CALL};

	now = c;
	if (faked(&p)) {
		printf("%s, %s: more than %d instructions\n", c->call, c->path, INJECT_LIST);
		exit(INJECT_BROKEN);
	}
	*wrong = c->check();
	memcpy(to, trap_list, trap_listed * sizeof *to);
	return trap_listed;
}

/* Those that are not wanted are left out. */
static size_t choose(size_t n)
{
	size_t kept = 0;

	for (size_t k = 0; k < n; k++) {
		if (!now->wanted || now->wanted(list[k]))
			list[kept++] = list[k];
	}
	return kept;
}

/* Returns whether all breakpoints were come to. */
static bool run(const struct trap_plan *p, int program, int tries)
{
	int wanted = p->second ? 2 : 1;

	for (int i = 0; i < tries; i++) {
		struct trap_result r;
		const char *wrong;

		now->prepare();
		running = p;
		r = trap_run(p, now->run);
		wrong = now->check();
		sum->runs++;
		sum->aborts += (size_t)r.aborts;
		if (wrong)
			fail(p, program, wrong);
		if (r.fired == wanted) {
			sum->retries += (size_t)i;
			return true;
		}
	}
	return false;
}

static void once(size_t k)
{
	bool all = true;

	for (int i = 0; i < now->programs; i++) {
		struct trap_plan p = {.first = list[k], .program = now->program[i]};

		all &= run(&p, i, TRIES);
	}
	sum->covered += all;
	if (!all && !now->quiet)
		printf("  not come to: %s\n", inject_symbol(list[k]));
}

/* Returns whether it is that of this very @k. */
static bool list_inner(struct inner *to, size_t k, int program, bool in_rest, bool every)
{
	struct trap_plan p = {.first = list[k],
			      .program = now->program[program],
			      .record = in_rest ? TRAP_REST : TRAP_HANDLER};

	if (!every && to->n && ++to->age < LIST_EVERY)
		return false;
	faked(&p);
	now->check();
	to->age = 0;
	to->n = trap_listed;
	memcpy(to->at, trap_list, trap_listed * sizeof *to->at);
	return true;
}

static void second(size_t k, int program, bool in_rest, bool every)
{
	struct inner *inner = &inner_lists[program][in_rest];
	bool own = list_inner(inner, k, program, in_rest, every);
	size_t stride = every ? 1 : 1 + sum->instructions * inner->n / SHORT_PAIRS, n = 0;

	for (size_t j = k % stride; j < inner->n; j += stride, n++) {
		struct trap_plan p = {
			.first = list[k],
			.second = inner->at[j],
			.in_rest = in_rest,
			.program = now->program[program],
			.inner = now->program[(k + n) % (size_t)now->programs],
		};
		bool hit = run(&p, program, own ? TRIES : 1);

		*(in_rest ? &sum->again : &sum->pairs) += hit;
		sum->missed += own && !hit;
	}
}

void inject_explore(const struct inject_case *c, bool all, struct inject_figures *out)
{
	struct trap_plan none = {.record = TRAP_NOTHING};
	bool every;
	const char *wrong;

	now = c;
	sum = out;
	memset(out, 0, sizeof *out);
	memset(inner_lists, 0, sizeof inner_lists);
	out->instructions = choose(inject_list(c, list, &wrong));
	every = all || (c->full && out->instructions <= HOT_LIST);
	if (wrong)
		fail(&none, 0, wrong);
	for (size_t k = 0; k < out->instructions; k++) {
		int turn = (int)(k % (size_t)c->programs);

		once(k);
		for (int i = 0; i < c->programs && !c->once; i++) {
			if (!every && i != turn)
				continue;
			second(k, i, false, every);
			second(k, i, true, every);
		}
	}
}

void inject_where(void)
{
	if (!now)
		return;
	printf("in %s, %s, interrupted at ", now->call, now->path);
	printf("%s, then ", running ? inject_symbol(running->first) : "-");
	printf("at %s\n", running ? inject_symbol(running->second) : "-");
}

void inject_add(struct inject_figures *total, const struct inject_figures *f)
{
	total->instructions += f->instructions;
	total->covered += f->covered;
	total->runs += f->runs;
	total->aborts += f->aborts;
	total->retries += f->retries;
	total->pairs += f->pairs;
	total->again += f->again;
	total->missed += f->missed;
	total->failures += f->failures;
}

bool inject_report(const struct inject_case *c, const struct inject_figures *f)
{
	bool good = (f->instructions || c->wanted) && f->covered == f->instructions && !f->missed &&
		    !f->failures;

	printf("%-14s %-26s %4zu of %4zu instructions, %6zu runs, %6zu aborts, %6zu pairs, %6zu "
	       "again, "
	       "%zu missed, %zu failures\n",
	       c->call, c->path, f->covered, f->instructions, f->runs, f->aborts, f->pairs,
	       f->again, f->missed, f->failures);
	if (f->failures) {
		printf("  first: %s; interrupted at %s", f->first, inject_symbol(f->at));
		printf(" by program %d, then at %s\n", f->program, inject_symbol(f->second));
	}
	fflush(stdout);
	return good;
}
