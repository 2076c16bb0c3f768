/* SPDX-License-Identifier: MIT */
/*
 * SQLite's method: the n-th call into the operating system fails, for n = 1, 2, 3 ... until a run passes in
 * which none failed; once, and for ever after. Each run is a process of its own, since first use happens
 * once in a process.
 *
 * Arguments: nothing; "few" for a run in so many; or KIND N once|forever on|off NODES to replay one run (on, off: the worker).
 */
#include "inject.h"
#include "scenario.h"
#include "scenario_heap.h"

#include <bma/bma.h>

#include <sys/wait.h>

#include "test.h"

#define FEW 3	       /* n grows by a third, and by one */
#define STRIDE_FROM 40 /* from here on n grows by a twelfth */
#define RUN_SECONDS 20
#define UNTOUCHED 3 /* exit status: no call failed */

struct run {
	enum inject_kind kind;
	long n;
	bool forever, worker;
	int nodes;
};

/* In a child: does not return. */
static void play(const struct run *r)
{
	struct bma_stats st;

	alarm(RUN_SECONDS);
	setenv("BMA_CONF", r->worker ? "worker:on,pressure:on,purge_ms:1" : "worker:off", 1);
	if (r->nodes > 1)
		setenv("HWLOC_SYNTHETIC", "numa:2 core:2 pu:1", 1);
	scenario_heap_all = !r->forever && !r->worker && r->nodes == 1;
	inject_arm(r->kind, r->n, r->forever);
	scenario_play();
	inject_disarm();
	scenario_end();
	bma_stats_get(&st, sizeof st);
	CHECK(!st.caches, "%llu caches were left", (unsigned long long)st.caches);
	CHECK(r->forever || !scenario_kept(), "one refusal of a fence is made up for");
	_exit(inject_failed() ? 0 : UNTOUCHED);
}

/* Returns the exit status; what is wrong has been printed. */
static int run(const struct run *r)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0, "fork");
	if (!pid)
		play(r);
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == UNTOUCHED))
		return WEXITSTATUS(status);
	fprintf(stderr, "status %x: nth %s %ld %s %s %d\n", (unsigned int)status,
		inject_names[r->kind], r->n, r->forever ? "forever" : "once",
		r->worker ? "on" : "off", r->nodes);
	return 1;
}

static bool few;

static long next_n(long n)
{
	if (few)
		return n + 1 + n / FEW;
	return n < STRIDE_FROM ? n + 1 : n + n / 12;
}

/* Returns how many runs failed. */
static int sweep(enum inject_kind kind, bool forever, bool worker, int nodes)
{
	struct run r = {.kind = kind, .n = 1, .forever = forever, .worker = worker, .nodes = nodes};
	int bad = 0, status, runs = 0;

	while ((status = run(&r)) != UNTOUCHED && bad < 5) {
		bad += status != 0;
		runs++;
		r.n = next_n(r.n);
	}
	printf("%s, %s, worker %s, nodes %d: %d runs, up to %ld\n", inject_names[kind],
	       forever ? "forever" : "once", worker ? "on" : "off", nodes, runs, r.n);
	fflush(stdout);
	return bad;
}

/* Again and again in one process: what failures leave behind must not grow. In a child. */
static void again(enum inject_kind kind, bool forever)
{
	struct bma_stats first, st;

	alarm(2 * RUN_SECONDS);
	setenv("BMA_CONF", "worker:off", 1);
	/* With nothing refused all is mapped that is ever needed. */
	scenario_play();
	scenario_end();
	bma_stats_get(&first, sizeof first);
	for (long i = 0; i < 30; i++) {
		inject_arm(kind, i * 2 + 1, forever);
		scenario_play();
		inject_disarm();
		scenario_end();
		bma_stats_get(&st, sizeof st);
	}
	CHECK(st.magazine_bytes == first.magazine_bytes, "magazines: %llu, then %llu",
	      (unsigned long long)first.magazine_bytes, (unsigned long long)st.magazine_bytes);
	CHECK(st.meta_bytes <= first.meta_bytes + (1u << 20), "metadata: %llu, then %llu",
	      (unsigned long long)first.meta_bytes, (unsigned long long)st.meta_bytes);
	_exit(0);
}

static int repeat(enum inject_kind kind, bool forever)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0, "fork");
	if (!pid)
		again(kind, forever);
	waitpid(pid, &status, 0);
	if (status)
		fprintf(stderr, "status %x: again and again, %s\n", (unsigned int)status,
			inject_names[kind]);
	return status != 0;
}

static int replay(char **argv)
{
	struct run r = {.n = atol(argv[2]),
			.forever = !strcmp(argv[3], "forever"),
			.worker = !strcmp(argv[4], "on"),
			.nodes = atoi(argv[5])};

	for (int k = 0; k < INJECT_KINDS; k++) {
		if (!strcmp(argv[1], inject_names[k]))
			r.kind = (enum inject_kind)k;
	}
	play(&r);
	return 1;
}

int main(int argc, char **argv)
{
	int bad = 0;

	if (argc == 6)
		return replay(argv);
	few = argc == 2 && !strcmp(argv[1], "few");
	for (int worker = 0; worker < 2; worker++) {
		for (int kind = 0; kind < INJECT_KINDS; kind++) {
			for (int forever = 0; forever < 2; forever++) {
				/* On one node nothing is ever bound. */
				int nodes = kind == INJECT_BIND ? 2 : 1;

				bad += sweep((enum inject_kind)kind, forever, worker, nodes);
			}
		}
	}
	for (int forever = 0; forever < 2; forever++)
		bad += sweep(INJECT_MAP, forever, false, 2);
	bad += repeat(INJECT_MAP, false);
	bad += repeat(INJECT_MAP, true);
	bad += repeat(INJECT_MEMBARRIER, false);
	CHECK(!bad, "%d runs failed", bad);
	return 0;
}
