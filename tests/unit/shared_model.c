/* SPDX-License-Identifier: MIT */
/* Random operations against a plain model, one after the other. */
#include "shared.h"

#include <stdlib.h>

#define SHARED 4
#define GROUPS 24
#define OWNERS 12
#define OBJECTS 40
#define OPERATIONS 60000
#define SIZE 448

static uint64_t seed = 1442695040888963407u;

static uint64_t under(uint64_t n)
{
	return next_random(&seed) % n;
}

/* What a pair is, without any thought of speed: sums are made anew each time. */
static struct {
	bool attached;
	enum bma_shared_policy policy;
	uint64_t borrow, borrow_max;
} pair[SHARED][GROUPS];

static struct bma_group *shared[SHARED], *group[GROUPS];
static int parent[GROUPS]; /* -1: the root */
static uint64_t charged[SHARED], own[GROUPS], max[GROUPS], pin_max[GROUPS];

static struct bma_cache *cache[SHARED];
static struct bma_pin_owner *owner[OWNERS];
static int of_group[OWNERS];
static struct {
	char *at; /* NULL: there is none */
	int shared;
	bool freed;
	int pins[OWNERS];
} object[OBJECTS];

static bool is_below(int g, int top)
{
	while (g >= 0 && g != top)
		g = parent[g];
	return g == top;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What is charged to a shared group: the raw charges, and what its records have. */
static uint64_t charge_of(int s)
{
	return stat_of(shared[s]).current;
}

static uint64_t adds(int s, int top)
{
	uint64_t sum = 0, charge = charge_of(s);

	for (int g = 0; g < GROUPS; g++) {
		if (!pair[s][g].attached || !is_below(g, top))
			continue;
		if (pair[s][g].policy == BMA_SHARED_ALL)
			return charge;
		if (pair[s][g].policy == BMA_SHARED_BORROWED)
			sum += pair[s][g].borrow;
	}
	return least(sum, charge);
}

static uint64_t total(int top)
{
	uint64_t sum = 0;

	for (int g = 0; g < GROUPS; g++)
		sum += is_below(g, top) ? own[g] : 0;
	for (int s = 0; s < SHARED; s++)
		sum += adds(s, top);
	return sum;
}

static bool fits(int g)
{
	for (; g >= 0; g = parent[g]) {
		if (total(g) > max[g])
			return false;
	}
	return true;
}

static bool has_pinned(int g, int obj)
{
	for (int o = 0; o < OWNERS; o++) {
		if (of_group[o] == g && object[obj].pins[o])
			return true;
	}
	return false;
}

/* -1 for @s: of all. */
static uint64_t pinned(int top, int s)
{
	uint64_t n = 0;

	for (int g = 0; g < GROUPS; g++) {
		for (int i = 0; i < OBJECTS && is_below(g, top); i++)
			n += object[i].at && (s < 0 || object[i].shared == s) && has_pinned(g, i);
	}
	return n * SIZE;
}

static void check_pair(int s, int top)
{
	uint64_t sum = 0, most = 0, charge = charge_of(s);
	struct bma_shared_stats got;
	bool there = false;

	for (int g = 0; g < GROUPS; g++) {
		if (!pair[s][g].attached || !is_below(g, top))
			continue;
		there = true;
		sum += pair[s][g].borrow;
		most = pair[s][g].borrow > most ? pair[s][g].borrow : most;
	}
	if (!there) {
		cr_assert_eq(bma_shared_stat(shared[s], group[top], &got, sizeof got), -ENOENT);
		return;
	}
	got = pair_of(shared[s], group[top]);
	cr_assert_eq(got.charge, charge);
	cr_assert_eq(got.attached, pair[s][top].attached);
	cr_assert_eq(got.borrowed, least(pair[s][top].borrow, charge));
	cr_assert_eq(got.upper, least(sum, charge));
	cr_assert_eq(got.lower, least(most, charge));
	cr_assert_eq(got.pinned, pinned(top, s));
}

static void check_all(void)
{
	for (int g = 0; g < GROUPS; g++) {
		for (int s = 0; s < SHARED; s++)
			check_pair(s, g);
		cr_assert_eq(current(group[g]), total(g));
	}
}

static void refresh(void)
{
	/* What a limit is compared with follows charges when somebody looks. */
	for (int g = 0; g < GROUPS; g++)
		stat_of(group[g]);
}

/* Is there a level from @g up where what @s adds has risen from @before, and is too much? */
static bool too_much(int s, int g, const uint64_t *before)
{
	for (; g >= 0; g = parent[g]) {
		if (adds(s, g) > before[g] && total(g) > max[g])
			return true;
	}
	return false;
}

static void look_before(int s, uint64_t *before)
{
	refresh();
	for (int g = 0; g < GROUPS; g++)
		before[g] = adds(s, g);
}

static void do_attach(int s, int g)
{
	enum bma_shared_policy policy = (enum bma_shared_policy)under(3);
	uint64_t most = under(4) ? BMA_GROUP_NO_LIMIT : under(100000), before[GROUPS];
	int rc;

	look_before(s, before);
	rc = bma_shared_attach(shared[s], group[g], policy, most);
	if (pair[s][g].attached) {
		cr_assert_eq(rc, -EEXIST);
		return;
	}
	pair[s][g].attached = true;
	pair[s][g].policy = policy;
	pair[s][g].borrow = 0;
	pair[s][g].borrow_max = most;
	cr_assert_eq(rc, too_much(s, g, before) ? -EDQUOT : 0);
	pair[s][g].attached = !rc;
}

static void do_detach(int s, int g)
{
	int rc = bma_shared_detach(shared[s], group[g]);
	bool busy = false;

	for (int i = 0; i < OBJECTS; i++)
		busy |= object[i].at && object[i].shared == s && has_pinned(g, i);
	if (!pair[s][g].attached) {
		cr_assert_eq(rc, -ENOENT);
		return;
	}
	cr_assert_eq(rc, busy ? -EBUSY : 0);
	pair[s][g].attached = busy;
	if (!busy)
		pair[s][g].borrow = 0;
}

static void do_borrow(int s, int g)
{
	uint64_t bytes = under(50000), before[GROUPS];
	int rc;

	look_before(s, before);
	rc = bma_shared_borrow(shared[s], group[g], bytes);
	if (!pair[s][g].attached) {
		cr_assert_eq(rc, -ENOENT);
	} else if (pair[s][g].borrow + bytes > charge_of(s)) {
		cr_assert_eq(rc, -ERANGE);
	} else if (pair[s][g].borrow + bytes > pair[s][g].borrow_max) {
		cr_assert_eq(rc, -EDQUOT);
	} else {
		pair[s][g].borrow += bytes;
		cr_assert_eq(rc, too_much(s, g, before) ? -EDQUOT : 0);
		pair[s][g].borrow -= rc ? bytes : 0;
	}
}

static void do_unborrow(int s, int g)
{
	uint64_t bytes = under(50000);
	int rc = bma_shared_unborrow(shared[s], group[g], bytes);

	if (!pair[s][g].attached) {
		cr_assert_eq(rc, -ENOENT);
		return;
	}
	cr_assert_eq(rc, pair[s][g].borrow < bytes ? -ERANGE : 0);
	if (!rc)
		pair[s][g].borrow -= bytes;
}

static void do_charge(int s)
{
	uint64_t bytes = under(80000);

	if (under(2)) {
		cr_assert_eq(charge(shared[s], bytes), 0);
		charged[s] += bytes;
	} else if (bytes <= charged[s]) {
		uncharge(shared[s], bytes);
		charged[s] -= bytes;
	}
}

static void do_charge_group(int g)
{
	uint64_t bytes = under(20000);

	if (under(2)) {
		int rc;

		refresh();
		rc = charge(group[g], bytes);
		own[g] += bytes;
		if (bytes)
			cr_assert_eq(rc, fits(g) ? 0 : -EDQUOT);
		if (rc)
			own[g] -= bytes;
	} else if (bytes <= own[g]) {
		uncharge(group[g], bytes);
		own[g] -= bytes;
	}
}

static void forget(int obj)
{
	for (int o = 0; o < OWNERS; o++) {
		if (object[obj].pins[o])
			return;
	}
	if (object[obj].freed)
		object[obj].at = NULL;
}

static void do_object(int obj)
{
	int s = (int)under(SHARED);

	if (!object[obj].at) {
		memset(&object[obj], 0, sizeof object[obj]);
		object[obj].at = get(cache[s]);
		object[obj].shared = s;
		memset(object[obj].at, obj, SIZE);
		return;
	}
	cr_assert_eq(object[obj].at[under(SIZE)], obj);
	if (object[obj].freed)
		return;
	bma_cache_free(cache[under(2) ? s : object[obj].shared], object[obj].at);
	object[obj].freed = true;
	forget(obj);
}

static void do_pin(int obj, int o)
{
	int g = of_group[o], s = object[obj].shared, rc;
	bool full = false;

	if (!object[obj].at)
		return;
	for (int at = g; at >= 0; at = parent[at])
		full |= pinned(at, -1) + SIZE > pin_max[at];
	full &= !has_pinned(g, obj);
	rc = bma_shared_pin(owner[o], object[obj].at);
	cr_assert_eq(rc, object[obj].freed	? -EINVAL
			 : !pair[s][g].attached ? -ENOENT
			 : full			? -EDQUOT
						: 0);
	object[obj].pins[o] += !rc;
}

static void do_unpin(int obj, int o)
{
	if (!object[obj].at)
		return;
	cr_assert_eq(bma_shared_unpin(owner[o], object[obj].at), object[obj].pins[o] ? 0 : -ENOENT);
	if (object[obj].pins[o]) {
		object[obj].pins[o]--;
		forget(obj);
	}
}

static void do_close(int o)
{
	size_t n = 0;

	for (int i = 0; i < OBJECTS; i++)
		n += object[i].at ? (size_t)object[i].pins[o] : 0;
	cr_assert_eq(bma_pin_owner_close(owner[o]), n);
	for (int i = 0; i < OBJECTS; i++) {
		object[i].pins[o] = 0;
		if (object[i].at)
			forget(i);
	}
	of_group[o] = (int)under(GROUPS);
	owner[o] = bma_pin_owner_open(group[of_group[o]]);
}

static void set_up(void)
{
	for (int g = 0; g < GROUPS; g++) {
		parent[g] = g < 4 ? -1 : (int)under((uint64_t)g);
		group[g] = make(parent[g] < 0 ? NULL : group[parent[g]], NULL);
		max[g] = under(3) ? BMA_GROUP_NO_LIMIT : 100000 + under(400000);
		cr_assert_eq(bma_group_set(group[g], BMA_GROUP_MAX, max[g]), 0);
		pin_max[g] = under(3) ? BMA_GROUP_NO_LIMIT : under(30) * SIZE;
		cr_assert_eq(bma_pin_set_max(group[g], pin_max[g]), 0);
	}
	for (int s = 0; s < SHARED; s++) {
		shared[s] = make_shared(NULL);
		cache[s] = cache_of(shared[s], SIZE);
	}
	for (int o = 0; o < OWNERS; o++) {
		of_group[o] = (int)under(GROUPS);
		owner[o] = bma_pin_owner_open(group[of_group[o]]);
	}
}

static void operate(void)
{
	int s = (int)under(SHARED), g = (int)under(GROUPS);

	switch (under(16)) {
	case 0:
	case 1:
		do_attach(s, g);
		break;
	case 2:
		do_detach(s, g);
		break;
	case 3:
	case 4:
	case 5:
		do_borrow(s, g);
		break;
	case 6:
		do_unborrow(s, g);
		break;
	case 7:
		do_charge(s);
		break;
	case 8:
		do_charge_group(g);
		break;
	case 9:
	case 10:
		do_object((int)under(OBJECTS));
		break;
	case 11:
	case 12:
		do_pin((int)under(OBJECTS), (int)under(OWNERS));
		break;
	case 13:
	case 14:
		do_unpin((int)under(OBJECTS), (int)under(OWNERS));
		break;
	default:
		if (!under(20))
			do_close((int)under(OWNERS));
	}
}

Test(shared_model, random_operations)
{
	set_up();
	for (int i = 0; i < OPERATIONS; i++) {
		operate();
		if (i % 50 == 0)
			check_all();
	}
	for (int o = 0; o < OWNERS; o++)
		do_close(o);
	for (int i = 0; i < OBJECTS; i++) {
		if (object[i].at)
			do_object(i);
	}
	for (int s = 0; s < SHARED; s++) {
		for (int g = 0; g < GROUPS; g++)
			do_detach(s, g);
		uncharge(shared[s], charged[s]);
		charged[s] = 0;
		cr_assert_eq(in_use(shared[s]), 0);
	}
	check_all();
}
