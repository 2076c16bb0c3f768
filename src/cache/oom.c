/* SPDX-License-Identifier: MIT */
/* Out of memory, see oom.h. */
#include "cache.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VICTIMS 3u
/* How often one allocation may come here. */
#define CALLS 8u
/* A second each. */
#define ROUND_NS 1000000000u
#define ROUNDS_RELEASE 5u
#define ROUNDS_TURN 16u
/* What a victim freed may stand in slabs that wait for readers. */
#define FLUSHES 10
#define FLUSH_NAP 2000000u
#define LINES 10u /* a second */

/* One event as it is told. */
struct story {
	char asked[128], chosen[256];
	bool aborted;
	uint64_t freed;
};

static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

bool bma__oom_inside(void)
{
	return inside;
}

static __attribute__((format(printf, 3, 4))) void append(char *text, size_t size, const char *fmt,
							 ...)
{
	size_t n = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + n, size - n, fmt, args);
	va_end(args);
}

/* For a line: the end of a long path, and nothing that ends the line. */
static void path_of(const struct bma_group *handle, char *path, size_t size)
{
	char whole[BMA__GROUP_PATH_MAX];
	const struct bma__group *g;
	size_t length;

	bma__tree_lock();
	g = bma__group_of(handle);
	length = g ? bma__group_path(g, whole, sizeof whole) : 0;
	bma__tree_unlock();
	if (!g)
		strcpy(whole, "(gone)");
	snprintf(path, size, "%s", whole + (length < size ? 0 : length - size + 1));
	for (char *c = path; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
}

/* False: too many lines lately. @left_out: how many were not written since the last one. */
static bool may_write(uint64_t *left_out)
{
	static uint64_t second, waiting; /* [lock: group], all of it */
	static uint32_t lines;
	uint64_t now = bma__os_now() / ROUND_NS;
	bool may;

	bma__tree_lock();
	if (now != second)
		lines = 0;
	second = now;
	may = lines < LINES;
	lines += may;
	*left_out = may ? waiting : 0;
	waiting = may ? 0 : waiting + 1;
	bma__tree_unlock();
	return may;
}

static void tell(const struct story *s, const struct bma_oom *oom)
{
	char path[64], more[48] = "";
	uint64_t left_out;

	if (!may_write(&left_out))
		return;
	path_of(oom->group, path, sizeof path);
	if (left_out)
		snprintf(more, sizeof more, " (%llu lines left out)", (unsigned long long)left_out);
	bma__log_line("oom: %s wants %llu bytes: asked%s; %s%s; freed %llu%s", path,
		      (unsigned long long)oom->bytes, *s->asked ? s->asked : " nobody",
		      s->aborted   ? "aborted"
		      : *s->chosen ? "chose"
				   : "no victim",
		      s->chosen, (unsigned long long)s->freed, more);
}

/* The guard is around the function alone: what is counted takes locks. */
static enum bma_oom_answer ask(struct bma__policy *p, struct bma_oom *oom)
{
	struct bma__forbid guard;
	enum bma_oom_answer answer;
	uint64_t begun, took;

	bma__forbid_begin(&guard);
	begun = bma__os_now();
	answer = p->decide(oom, p->ctx);
	took = bma__os_now() - begun;
	bma__forbid_end(&guard);
	if (guard.violations)
		BMA__OOM_COUNT(p->hook.group, violations, guard.violations);
	if (took > p->budget_ns) {
		BMA__OOM_COUNT(p->hook.group, overruns, 1);
		bma__log_line("oom: policy \"%s\" took %llu us, its budget is %llu us", p->name,
			      (unsigned long long)took / 1000,
			      (unsigned long long)p->budget_ns / 1000);
	}
	return answer;
}

/* What the policies say, from @oom's group up. NO_POLICY: none of them knows. */
static enum bma_oom_answer ask_all(struct bma_oom *oom, struct story *s, char *by, size_t size)
{
	const struct bma_group *at = oom->group;
	enum bma_oom_answer answer = BMA_OOM_NO_POLICY;
	struct bma__policy *p;

	while (answer == BMA_OOM_NO_POLICY && (p = bma__policy_enter(&at))) {
		oom->at = 0;
		oom->selected = NULL;
		answer = ask(p, oom);
		/* Who names nobody, or says what nobody knows, has said nothing. */
		if (answer != BMA_OOM_ABORT &&
		    !(answer == BMA_OOM_SELECTED && oom->selected && !oom->selected->ignored))
			answer = BMA_OOM_NO_POLICY;
		BMA__OOM_COUNT(oom->group, asked, 1);
		append(s->asked, sizeof s->asked, " %s", p->name);
		snprintf(by, size, "%s", p->name);
		bma__policy_leave(p);
	}
	return answer;
}

/* The next victim; NULL: there is none. @list: whose list it stood in, if it did. */
static struct bma__candidate *choose(struct bma_oom *oom, struct story *s, char *by, size_t size,
				     struct bma_group **list)
{
	const struct bma_group *preferred;
	enum bma_oom_answer answer;

	snprintf(by, size, "preferred");
	while ((preferred = bma__prefer_take(oom, list))) {
		struct bma__candidate *c = bma__victim_find(oom, preferred);

		if (c)
			return c;
		/* Destroyed since. */
		bma__prefer_tried(*list);
	}
	*list = NULL;
	answer = ask_all(oom, s, by, size);
	s->aborted = answer == BMA_OOM_ABORT;
	if (answer != BMA_OOM_NO_POLICY)
		return s->aborted ? NULL : oom->selected;
	snprintf(by, size, "built-in");
	return bma__victim_built_in(oom);
}

static void account(struct bma__pressure *p, const struct bma_group *group)
{
	uint64_t now = bma__os_now();

	bma__stall_add(group, now - p->since, now);
	p->since = now;
}

/* Nobody else will: there is no worker, or it is the caller, or has had a second. */
static bool is_ours(uint32_t round)
{
	return round || !bma__worker_runs() || bma__worker_is_caller();
}

static void wait_for(_Atomic uint32_t *word, uint32_t seen, struct bma__pressure *p,
		     const struct bma_group *group)
{
	const struct timespec second = {.tv_sec = 1};

	bma__os.futex_wait(word, seen, &second);
	account(p, group);
}

static void run(struct bma__release *r, uint32_t seen, struct bma__pressure *p,
		const struct bma_group *group)
{
	bma__worker_wake();
	for (uint32_t round = 0; round < ROUNDS_RELEASE; round++) {
		if (atomic_load_explicit(&r->done, memory_order_acquire) != seen ||
		    (is_ours(round) && bma__release_run(r)))
			return;
		wait_for(&r->done, seen, p, group);
	}
}

/* What was freed is brought home. Returns by how much less is charged to @group than @before. */
static uint64_t flush(const struct bma_group *group, uint64_t before, uint64_t bytes)
{
	uint64_t freed = 0;

	for (int i = 0; i < FLUSHES && !freed; i++) {
		if (i && !bma__flavor_pending() && !bma__heap_freed())
			break;
		if (i)
			bma__os_sleep(FLUSH_NAP);
		bma__heap_collect();
		freed = bma__pressure_flush(group, before, bytes);
	}
	return freed;
}

static void chosen_now(const struct bma_group *victim, uint64_t freed)
{
	struct bma__group *g;

	bma__tree_lock();
	if (!bma__oom_online(victim, &g)) {
		g->oom->stats.chosen++;
		g->oom->stats.freed += freed;
		g->oom->stats.useless += !freed;
		g->oom->last_victim_ns = bma__os_now();
	}
	bma__tree_unlock();
}

/* Returns what it freed. */
static uint64_t try_victim(struct bma_oom *oom, struct bma__candidate *c, struct bma__pressure *p)
{
	uint64_t before = bma__pressure_usage(oom->group), freed = 0;
	uint32_t seen;
	struct bma__release *r = bma__release_want(c->group, oom->bytes, &seen);

	if (r) {
		run(r, seen, p, oom->group);
		bma__release_put(r);
		freed = flush(oom->group, before, oom->bytes);
	}
	/* With the group went its limit: what it was charged for was not freed by that. */
	if (!bma__group_of(oom->group))
		freed = 0;
	c->failed = !freed;
	chosen_now(c->group, freed);
	return freed;
}

static void find_victims(struct bma_oom *oom, struct bma__pressure *p, struct story *s)
{
	char by[32], path[64];
	struct bma__candidate *c;
	struct bma_group *list;

	while (p->victims < VICTIMS && (c = choose(oom, s, by, sizeof by, &list))) {
		uint64_t freed;

		p->victims++;
		path_of(c->group, path, sizeof path);
		freed = try_victim(oom, c, p);
		if (list)
			bma__prefer_tried(list);
		s->freed += freed;
		append(s->chosen, sizeof s->chosen, " %s (%s)", path, by);
		if (bma__oom_has_room(oom->group, oom->bytes))
			return;
		bma__victims_refresh(oom);
	}
}

/* Its turn is the caller's. */
static bool event(struct bma__pressure *p, struct bma_group *group)
{
	struct story s = {.freed = 0};
	struct bma_oom oom;

	BMA__OOM_COUNT(group, events, 1);
	bma__victims_begin(&oom, group, p->bytes);
	find_victims(&oom, p, &s);
	bma__victims_end(&oom);
	tell(&s, &oom);
	return bma__oom_has_room(group, p->bytes) || (s.freed && !s.aborted);
}

/* False: it did not come. Whoever had the turn may have made room for others. */
static bool take_turn(struct bma__pressure *p, struct bma_group *group)
{
	for (uint32_t round = 0; round < ROUNDS_TURN; round++) {
		uint32_t seen = atomic_load_explicit(&bma__oom_turns, memory_order_acquire);

		if (bma__oom_take_turn(group))
			return true;
		wait_for(&bma__oom_turns, seen, p, group);
	}
	return false;
}

bool bma__oom_relieve(struct bma__pressure *p, struct bma_group *group)
{
	bool made;

	if (inside || p->calls++ >= CALLS)
		return false;
	if (bma__oom_has_room(group, p->bytes))
		return true;
	if (p->victims >= VICTIMS || !take_turn(p, group))
		return false;
	inside = true;
	made = bma__oom_has_room(group, p->bytes) || event(p, group);
	inside = false;
	bma__oom_end_turn(group);
	return made;
}

void bma__oom_serve(void)
{
	if (inside)
		return;
	inside = true;
	while (bma__release_run(NULL))
		;
	inside = false;
}
