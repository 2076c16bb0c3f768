/* SPDX-License-Identifier: MIT */
/* Charges by many: against a plain model, one after the other; and at the same time. */
#include "group.h"

#include <pthread.h>
#include <stdlib.h>

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#define GROUPS 40
#define OPERATIONS 100000

/* What a group is, without any thought of speed: own bytes, and sums made anew each time. */
struct model {
	struct bma_group *handle; /* NULL: there is none */
	int parent;		  /* -1: the root */
	int depth;
	uint64_t own, max, high, peak;
	uint64_t events[BMA_GROUP_EVENTS], local[BMA_GROUP_EVENTS];
};

static struct model model[GROUPS];
static uint64_t seed = 88172645463325252u;

static uint64_t usage(int g)
{
	uint64_t sum = model[g].own;

	for (int i = 0; i < GROUPS; i++) {
		if (model[i].handle && model[i].parent == g)
			sum += usage(i);
	}
	return sum;
}

static bool has_children(int g)
{
	for (int i = 0; i < GROUPS; i++) {
		if (model[i].handle && model[i].parent == g)
			return true;
	}
	return false;
}

static void model_event(int g, enum bma_group_event event)
{
	model[g].local[event]++;
	for (; g >= 0; g = model[g].parent)
		model[g].events[event]++;
}

static bool below(int g, int top)
{
	while (g >= 0 && g != top)
		g = model[g].parent;
	return g == top;
}

/* Up to, not with, @stop. Returns the one that refuses, or -1 and it is charged. */
static int model_charge(int g, int stop, uint64_t bytes)
{
	for (int at = g; at != stop; at = model[at].parent) {
		if (usage(at) + bytes > model[at].max) {
			model_event(at, BMA_GROUP_EVENT_MAX);
			return at;
		}
	}
	for (int at = g; at != stop; at = model[at].parent) {
		uint64_t now = usage(at) + bytes;

		if (now > model[at].peak)
			model[at].peak = now;
		if (now > model[at].high)
			model_event(at, BMA_GROUP_EVENT_HIGH);
	}
	model[g].own += bytes;
	return -1;
}

static void op_create(int g, int other)
{
	struct model *m = &model[g];

	if (m->handle)
		return;
	if (!model[other].handle || model[other].depth == BMA_GROUP_DEPTH_MAX)
		other = 0;
	*m = (struct model){.parent = other, .depth = model[other].depth + 1};
	m->max = m->high = BMA_GROUP_NO_LIMIT;
	m->handle = make(model[other].handle, NULL);
}

static void op_charge(int g, uint64_t bytes)
{
	struct bma__group *refused = NULL;
	int by, rc;

	if (!model[g].handle)
		return;
	by = model_charge(g, -1, bytes);
	rc = bma__group_charge(in(model[g].handle), bytes, &refused);
	cr_assert_eq(rc, by < 0 ? 0 : -EDQUOT);
	cr_assert_eq(refused, by < 0 ? NULL : in(model[by].handle));
}

static void op_uncharge(int g, uint64_t bytes)
{
	bytes = bytes < model[g].own ? bytes : model[g].own;
	if (!model[g].handle)
		return;
	model[g].own -= bytes;
	uncharge(model[g].handle, bytes);
}

static void op_move(int g, int to, uint64_t bytes)
{
	int stop = g, by;

	if (!model[g].handle || !model[to].handle)
		return;
	bytes = bytes < model[g].own ? bytes : model[g].own;
	while (!below(to, stop))
		stop = model[stop].parent;
	by = model_charge(to, stop, bytes);
	/* Charged to an ancestor nothing is, and so model_charge() added it to the one that has it already. */
	if (by < 0)
		model[g].own -= bytes;
	cr_assert_eq(move(model[g].handle, model[to].handle, bytes), by < 0 ? 0 : -EDQUOT);
}

static void op_set(int g, uint64_t random)
{
	uint64_t bytes = random & 2 ? random >> 8 & 0xffff : BMA_GROUP_NO_LIMIT;

	if (!model[g].handle)
		return;
	*(random & 1 ? &model[g].max : &model[g].high) = bytes;
	cr_assert_eq(
		bma_group_set(model[g].handle, random & 1 ? BMA_GROUP_MAX : BMA_GROUP_HIGH, bytes),
		0);
}

static void op_unlink(int g)
{
	struct bma_group *handle = model[g].handle;
	int parent = model[g].parent;

	if (!g || !handle || has_children(g))
		return;
	/* As destroying does: what is left is the parent's. */
	model[parent].own += model[g].own;
	model[g].handle = NULL;
	cr_assert_eq(move(handle, model[parent].handle, model[g].own), 0);
	take_away(handle);
	cr_assert_null(bma__group_of(handle));
}

static void compare(int g)
{
	const struct model *m = &model[g];
	struct bma_group_stats s;

	if (!m->handle)
		return;
	s = stat_of(m->handle);
	cr_assert_eq(s.current, usage(g));
	cr_assert_eq(s.own, m->own);
	cr_assert_eq(s.peak, m->peak, "%d", g);
	cr_assert_eq(s.max, m->max);
	cr_assert_eq(s.high, m->high);
	cr_assert_eq(s.depth, (uint32_t)m->depth);
	cr_assert_eq(memcmp(s.events, m->events, sizeof s.events), 0);
	cr_assert_eq(memcmp(s.events_local, m->local, sizeof s.events_local), 0);
}

static void step(void)
{
	uint64_t r = next_random(&seed);
	int g = (int)(r >> 20 & 0xffff) % GROUPS, other = (int)(r >> 36 & 0xffff) % GROUPS;
	uint64_t bytes = r >> 52;

	switch (r % 16) {
	case 0:
	case 1:
		op_create(g, other);
		break;
	case 2:
		op_set(g, next_random(&seed));
		break;
	case 3:
		op_unlink(g);
		break;
	case 4:
	case 5:
		op_move(g, other, bytes);
		break;
	case 6:
		if (model[g].handle) {
			bma_group_reset_peak(model[g].handle);
			model[g].peak = usage(g);
		}
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		op_uncharge(g, bytes);
		break;
	default:
		op_charge(g, bytes);
	}
}

Test(group_model, as_the_model_has_it)
{
	model[0] = (struct model){.parent = -1,
				  .handle = bma_group_root(),
				  .max = BMA_GROUP_NO_LIMIT,
				  .high = BMA_GROUP_NO_LIMIT};
	for (int i = 0; i < OPERATIONS; i++) {
		step();
		compare(i % GROUPS);
		if (i % 1000)
			continue;
		for (int g = 0; g < GROUPS; g++)
			compare(g);
	}
}

#define THREADS 4
#define TREE 13
#define ROUNDS 100000
#define HELD 16

static struct bma_group *tree[TREE];
static uint64_t limit[TREE];
static _Atomic bool stop;

/* The root, three below it, three below each of these. */
static void plant(void)
{
	tree[0] = bma_group_root();
	for (int i = 1; i < TREE; i++) {
		limit[i] = i < 4 ? 2000 : 900;
		tree[i] = make_limited(tree[(i - 1) / 3], NULL, limit[i]);
	}
	limit[0] = 5000;
	bma_group_set(tree[0], BMA_GROUP_MAX, limit[0]);
}

static uint64_t current(int i)
{
	return atomic_load(&in(tree[i])->usage);
}

static void *churn(void *arg)
{
	uint64_t state = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15u, taken = 0;
	struct {
		int at;
		uint64_t bytes;
	} held[HELD] = {{0, 0}};

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t r = next_random(&state);
		int at = (int)(r >> 8 & 0xff) % TREE, h = (int)(r >> 16 & 0xff) % HELD;

		uncharge(tree[held[h].at], held[h].bytes);
		held[h].at = at;
		held[h].bytes = r >> 32 & 0x1ff;
		if (charge(tree[at], held[h].bytes))
			held[h].bytes = 0;
		else
			taken++;
	}
	for (int h = 0; h < HELD; h++)
		uncharge(tree[held[h].at], held[h].bytes);
	return (void *)(uintptr_t)taken;
}

static void *watch(void *unused)
{
	(void)unused;
	while (!atomic_load(&stop)) {
		for (int i = 0; i < TREE; i++)
			cr_assert_leq(current(i), limit[i]);
	}
	return NULL;
}

/* How many charges were made. */
static uint64_t run(void *(*beside)(void *))
{
	pthread_t threads[THREADS], other;
	uint64_t all = 0;

	pthread_create(&other, NULL, beside, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++) {
		void *taken;

		pthread_join(threads[i], &taken);
		all += (uintptr_t)taken;
	}
	atomic_store(&stop, true);
	pthread_join(other, NULL);
	for (int i = 0; i < TREE; i++)
		cr_assert_eq(current(i), 0);
	return all;
}

Test(group_model, never_above_max)
{
	plant();
	cr_assert_gt(run(watch), 0);
	for (int i = 0; i < TREE; i++) {
		struct bma_group_stats s = stat_of(tree[i]);

		cr_assert_leq(s.peak, limit[i]);
		cr_assert_gt(s.peak, 0);
	}
	cr_assert_gt(stat_of(tree[0]).events[BMA_GROUP_EVENT_MAX], 0);
}

/* Max goes up and down meanwhile. */
static void *change(void *unused)
{
	uint64_t state = 4711;

	(void)unused;
	while (!atomic_load(&stop)) {
		uint64_t r = next_random(&state);
		int i = (int)(r & 0xff) % TREE;

		cr_assert_eq(bma_group_set(tree[i], BMA_GROUP_MAX, r >> 8 & 0x7ff), 0);
	}
	return NULL;
}

Test(group_model, max_is_changed_under_load)
{
	plant();
	run(change);
}

static struct bma_group *contended;
static _Atomic uint64_t granted;

static void *take_all(void *unused)
{
	(void)unused;
	while (!charge(contended, 1))
		atomic_fetch_add(&granted, 1);
	return NULL;
}

/* Lowered while all charge and nobody uncharges: what bma_group_set() leaves is not exceeded afterwards. */
Test(group_model, a_lowered_max_holds)
{
	for (int round = 0; round < 300; round++) {
		pthread_t threads[2];
		uint64_t after, max = 200 + (uint64_t)round;

		contended = make_limited(NULL, NULL, 1000000);
		atomic_store(&granted, 0);
		for (int i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, take_all, NULL);
		while (stat_of(contended).current < max / 2)
			;
		cr_assert_eq(bma_group_set(contended, BMA_GROUP_MAX, max), 0);
		after = stat_of(contended).current;
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		/* Two charges that were in progress take themselves back. */
		cr_assert_leq(stat_of(contended).current, after > max ? after : max);
		cr_assert_eq(stat_of(contended).current, atomic_load(&granted));
		uncharge(contended, atomic_load(&granted));
		take_away(contended);
	}
}
