/* SPDX-License-Identifier: MIT */
/*
 * A fork at every instruction of every any-context call, on every path: a handler forks there, the child goes on in
 * the call, and in the parent as in the child nothing may be lost, held twice or counted wrongly; the child then
 * uses the cache, brings everything home and gives it up. What one path has is left to the EACH-th after it that has it.
 * Or ("other") another thread forks there, and in the child the call never goes on: what it had in hand is lost, nothing else is,
 * and all counts are right.
 * Arguments: cid, cpu or guest; "own" or "other"; then "all" for every instruction of every path; then the name of a call, for that
 * one only.
 */
#include "begin.h"
#include "inject.h"
#include "ledger.h"
#include "paths.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/api.h"
#include "test.h"
#include "trap.h"

#define SECONDS 200
#define EACH 32u
/* So long may a child take, which waits for nobody. */
#define CHILD_SECONDS 10

static char *said;	   /* by the child: what is wrong; shared with it */
static char copy[128];	   /* of that, for the report */
static const char *childs; /* what is wrong with it */
static bool is_child, others;
static struct inject_figures total;
static uint32_t *paths_with; /* an instruction, by its place in the text */

static const char *outcome(int status)
{
	if (WIFSIGNALED(status))
		return "the child was killed";
	if (WEXITSTATUS(status) == INJECT_OK)
		return NULL;
	if (!*said)
		return "the child crashed, or did not return";
	return *copy ? "as before" : strcpy(copy, said);
}

/* In the child it returns true. */
static bool forked(void)
{
	int status;
	pid_t pid;

	*said = 0;
	childs = NULL;
	pid = fork();
	if (!pid) {
		is_child = true;
		alarm(CHILD_SECONDS);
		world_forked();
		return true;
	}
	childs = pid > 0 && waitpid(pid, &status, 0) == pid ? outcome(status) : "no child";
	return false;
}

static void fork_here(void)
{
	forked();
}

/* As the child's grace-period thread would, were it started while the call stands still. */
static void fork_and_flush(void)
{
	if (forked())
		bma__limbo_flush(world.e->flavor);
	world_touch();
}

static sem_t asked, answered;

static void fork_there(void)
{
	sem_post(&asked);
	sem_wait(&answered);
	world_touch();
}

/* The slow halves, in the child of an interrupted one. */
static void use(void)
{
	ledger_magazine_and_back();
	ledger_magazine_to_limbo();
	ledger_bulk_and_back();
}

/* With something lost it cannot be given up, and says so at once; once more it says the same. */
static const char *give_up(void)
{
	uint64_t live[2];

	for (int i = 0; i < 2; i++) {
		if (bma__reclaim_engine(world.e, &live[i]))
			return "the engine could not be reclaimed";
		bma__reclaim_undo(world.e);
	}
	return live[0] == live[1] ? NULL : "what is live changes";
}

static const char *check(void)
{
	const char *wrong = world_check();

	if (!is_child)
		return wrong ? wrong : childs;
	if (!wrong) {
		use();
		wrong = world_check();
	}
	if (!wrong)
		wrong = world.alone ? give_up() : world_end();
	if (wrong)
		snprintf(said, sizeof copy, "in the child: %s", wrong);
	_exit(wrong ? INJECT_BAD : INJECT_OK);
}

static void *other(void *unused)
{
	(void)unused;
	while (!sem_wait(&asked)) {
		if (forked()) {
			world.alone = true;
			world_touch();
			check();
		}
		sem_post(&answered);
	}
	return NULL;
}

static bool start_other(void)
{
	pthread_t t;

	return !sem_init(&asked, 0, 0) && !sem_init(&answered, 0, 0) &&
	       !pthread_create(&t, NULL, other, NULL);
}

static bool wanted(uintptr_t at)
{
	uint32_t n = paths_with ? paths_with[at - trap_text]++ : 0;

	return n % EACH == 0;
}

static bool one(const struct path *p)
{
	struct inject_case c = {
		.call = p->call,
		.path = p->path,
		.prepare = world_restore,
		.run = p->run,
		.check = check,
		.wanted = wanted,
		.program = {others ? fork_there : fork_here, fork_and_flush},
		.programs = others ? 1 : 2,
		.once = true,
	};
	struct inject_figures f;
	const char *wrong;
	bool good;

	world_make(&p->shape);
	*copy = 0;
	childs = NULL;
	inject_explore(&c, false, &f);
	good = inject_report(&c, &f);
	wrong = world_end();
	if (wrong)
		printf("  %s\n", wrong);
	inject_add(&total, &f);
	return good && !wrong;
}

int main(int argc, char **argv)
{
	bool all = argc > 3 && !strcmp(argv[3], "all");
	int rc, bad = 0;

	others = argc > 2 && !strcmp(argv[2], "other");
	test_pin(0);
	rc = inject_begin(argc > 1 ? argv[1] : "cid", all ? 0 : SECONDS);
	if (rc)
		return rc;
	said = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (said == MAP_FAILED || bma__fork_init())
		return INJECT_BROKEN;
	if (others && !start_other())
		return INJECT_BROKEN;
	if (!all)
		paths_with = calloc(trap_text_end - trap_text, sizeof *paths_with);
	ledger_calls = &calls_inlined;
	for (size_t i = 0; i < paths_number; i++) {
		if (paths[i].indexed && bma__cpu.mode == BMA_MODE_GUEST)
			continue;
		if (argc <= 4 || !strcmp(argv[4], paths[i].call))
			bad += !one(&paths[i]);
	}
	printf("%zu of %zu instructions, %zu runs, %zu failures\n", total.covered,
	       total.instructions, total.runs, total.failures);
	return bad ? INJECT_BAD : INJECT_OK;
}
