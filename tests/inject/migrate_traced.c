/* SPDX-License-Identifier: MIT */
/* The process that is traced, see migrate.c. */
#include "begin.h"
#include "inject.h"
#include "ledger.h"
#include "migrate.h"
#include "paths.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRIES 8
/* Then it is killed: a call does not return. */
#define SECONDS 200
/* Planes of the first concurrency ids. */
#define IDS 4

static void (*const programs[])(void) = {
	ledger_two_and_back,
	ledger_magazine_and_back,
	ledger_alloc,
	ledger_free,
	ledger_bulk_and_back,
	ledger_free_rcu,
	ledger_magazine_to_limbo,
	ledger_left_and_home,
	ledger_right_and_home,
};
#define PROGRAMS (sizeof programs / sizeof *programs)

static void (*volatile program)(void); /* of the helper */
static volatile uint32_t helpers_plane;

static struct {
	size_t instructions, covered, runs, same, failures;
	const char *first;
	uintptr_t at;
} sum, total;

static void *helper(void *unused)
{
	migrate_pin(0, migrate_from);
	for (uint32_t seen = 0;; seen++) {
		migrate_wait(&migrate->go, seen);
		program();
		helpers_plane = bma__plane_home();
		migrate_post(&migrate->done);
	}
	return unused;
}

/* Back to the first CPU, and to the index that the world was made for; that may take the kernel a moment. */
static bool back(void)
{
	migrate_pin(0, migrate_from);
	for (int i = 0; i < 100 && bma__plane_home() != world.plane; i++)
		usleep(100);
	return bma__plane_home() == world.plane;
}

/* One run of the call, moved at @at. Returns whether it came there. */
static bool moved_run(const struct path *p, uintptr_t at)
{
	const char *wrong;

	if (!back()) {
		world_end();
		world_make(&p->shape);
	}
	world_restore();
	world.stock = 0; /* what the old CPU's slot has is not to be had on the other */
	atomic_store(&migrate->fired, 0);
	atomic_store(&migrate->at, at);
	raise(SIGSTOP);
	world_touch();
	p->run();
	wrong = world_check();
	sum.runs++;
	sum.same += helpers_plane == world.plane;
	if (wrong && !sum.failures++) {
		sum.first = wrong;
		sum.at = at;
	}
	return atomic_load(&migrate->fired);
}

static bool covered(const struct path *p, uintptr_t at)
{
	for (int i = 0; i < TRIES; i++) {
		if (moved_run(p, at))
			return true;
	}
	return false;
}

static void instruction(const struct path *p, size_t k, uintptr_t at)
{
	bool all = true;

	for (size_t i = 0; i < PROGRAMS; i++) {
		if (!p->full && i != k % PROGRAMS)
			continue;
		program = programs[i];
		all &= covered(p, at);
	}
	sum.covered += all;
	if (!all)
		printf("  not come to: %s\n", inject_symbol(at));
}

static bool one(const struct path *p)
{
	struct inject_case c = {.call = p->call,
				.path = p->path,
				.prepare = world_restore,
				.run = p->run,
				.check = world_check};
	static uintptr_t list[INJECT_LIST];
	const char *wrong, *end;
	size_t n;

	memset(&sum, 0, sizeof sum);
	world_make(&p->shape);
	atomic_store(&migrate->at, 0);
	raise(SIGSTOP); /* whatever was armed is disarmed */
	n = sum.instructions = inject_list(&c, list, &wrong);
	for (size_t k = 0; k < n; k++)
		instruction(p, k, list[k]);
	atomic_store(&migrate->at, 0);
	raise(SIGSTOP);
	back();
	end = world_end();
	printf("%-14s %-26s %4zu of %4zu instructions, %5zu runs, helper on the same slot in %5zu, "
	       "%zu failures\n",
	       p->call, p->path, sum.covered, n, sum.runs, sum.same, sum.failures);
	if (sum.failures)
		printf("  first: %s; moved at %s\n", sum.first, inject_symbol(sum.at));
	if (wrong || end)
		printf("  %s\n", wrong ? wrong : end);
	total.instructions += n;
	total.covered += sum.covered;
	total.runs += sum.runs;
	total.same += sum.same;
	total.failures += sum.failures;
	/* Where the index is the CPU the helper was on it. */
	if (bma__cpu.mode == BMA_MODE_RSEQ_CPU && sum.same != sum.runs)
		return false;
	return n && sum.covered == n && !sum.failures && !wrong && !end;
}

int migrate_traced(const char *mode)
{
	pthread_t thread;
	int rc, bad = 0;

	migrate_pin(0, migrate_from);
	rc = inject_begin(mode, SECONDS);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < IDS; i++)
		world_also_plane(i);
	world_also_plane((uint32_t)migrate_from);
	world_also_plane((uint32_t)migrate_to);
	if (pthread_create(&thread, NULL, helper, NULL))
		return INJECT_BROKEN;
	for (int form = 0; form < 2; form++) {
		ledger_calls = form ? &calls_exported : &calls_inlined;
		printf("-- %s\n", ledger_calls->name);
		for (size_t i = 0; i < paths_number; i++) {
			if (!paths[i].indexed || bma__cpu.mode != BMA_MODE_GUEST)
				bad += !one(&paths[i]);
		}
	}
	printf("%zu of %zu instructions, %zu runs, helper on the same slot in %zu, %zu failures\n",
	       total.covered, total.instructions, total.runs, total.same, total.failures);
	return bad ? INJECT_BAD : INJECT_OK;
}
