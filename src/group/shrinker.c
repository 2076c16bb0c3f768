/* SPDX-License-Identifier: MIT */
/*
 * Shrinkers. One runs with no lock held and is pinned by the thread that runs it: who wants to end it waits for that, who wants to run it too goes on to the next. Numbers rise along a
 * group's list, so that who was away finds where he was, whatever came or went.
 */
#include "group.h"

#include <errno.h>

#define NAP 100000u /* nanoseconds */

struct bma_shrinker {
	struct bma_shrinker *next; /* [lock: group] */
	struct bma__group *group;  /* [lock: group] NULL: destroyed */
	uintptr_t runner;	   /* [lock: group] the thread that runs it, 0: none */
	uint64_t number;	   /* [const] */
	uint64_t (*count)(void *ctx);
	uint64_t (*scan)(uint64_t bytes, void *ctx);
	void *ctx;
};

static uint64_t last; /* [lock: group] */
static struct bma_shrinker *
	ended; /* [lock: group] those of groups that were destroyed, until their owners unregister them */
static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

struct bma_shrinker *bma__shrinker_add(struct bma_group *handle, uint64_t (*count)(void *ctx),
				       uint64_t (*scan)(uint64_t bytes, void *ctx), void *ctx,
				       int *rc)
{
	struct bma_shrinker *s = bma__meta_alloc(sizeof *s), **link;
	struct bma__group *g;

	*rc = -ENOMEM;
	if (!s)
		return NULL;
	bma__tree_lock();
	g = bma__group_online(handle);
	if (g) {
		*s = (struct bma_shrinker){
			.group = g, .number = ++last, .count = count, .scan = scan, .ctx = ctx};
		for (link = &g->shrinkers; *link;)
			link = &(*link)->next;
		*link = s;
		*rc = 0;
	} else {
		bma__meta_free(s, sizeof *s);
		s = NULL;
		*rc = -ESTALE;
	}
	bma__tree_unlock();
	return s;
}

void bma__shrinker_remove(struct bma_shrinker *s)
{
	struct bma_shrinker **link;

	bma__tree_lock();
	if (s->runner == bma__cpu_thread())
		bma__log_abort("bma_shrinker_unregister: called by one of its functions");
	for (link = s->group ? &s->group->shrinkers : &ended; *link != s;)
		link = &(*link)->next;
	*link = s->next;
	while (s->runner) {
		bma__tree_unlock();
		bma__os_sleep(NAP);
		bma__tree_lock();
	}
	bma__tree_unlock();
	bma__meta_free(s, sizeof *s);
}

void bma__shrinkers_end(struct bma__group *g)
{
	while (g->shrinkers) {
		struct bma_shrinker *s = g->shrinkers;

		g->shrinkers = s->next;
		s->group = NULL;
		s->next = ended;
		ended = s;
	}
}

static void forget(struct bma_shrinker *s)
{
	for (; s; s = s->next) {
		if (s->runner != bma__cpu_thread())
			s->runner = 0;
	}
}

void bma__shrinkers_forget(void)
{
	struct bma__group *g = NULL;

	while ((g = bma__group_each(bma__group_root, g)))
		forget(g->shrinkers);
	forget(ended);
}

/*
 * Pin the next one after @number that nobody runs; NULL: there is none. One that runs is not waited for: it may wait for a lock that the caller has, and gives memory back
 * anyway.
 */
static struct bma_shrinker *pin(const struct bma_group *handle, uint64_t number)
{
	const struct bma__group *g;
	struct bma_shrinker *s;

	bma__tree_lock();
	g = bma__group_of(handle);
	s = g ? g->shrinkers : NULL;
	while (s && (s->number <= number || s->runner))
		s = s->next;
	if (s)
		s->runner = bma__cpu_thread();
	bma__tree_unlock();
	return s;
}

static void unpin(struct bma_shrinker *s)
{
	bma__tree_lock();
	s->runner = 0;
	bma__tree_unlock();
}

uint64_t bma__shrinkers_run(struct bma_group *handle, uint64_t bytes)
{
	uint64_t got = 0, number = 0;
	struct bma_shrinker *s;

	if (inside)
		return 0;
	inside = true;
	while (got < bytes && (s = pin(handle, number))) {
		uint64_t there = s->count(s->ctx), want = bytes - got, given = 0;

		if (there)
			given = s->scan(there < want ? there : want, s->ctx);
		got = given < UINT64_MAX - got ? got + given : UINT64_MAX;
		number = s->number;
		unpin(s);
	}
	inside = false;
	return got;
}
