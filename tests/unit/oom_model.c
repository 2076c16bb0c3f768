/* SPDX-License-Identifier: MIT */
/* Victims over random trees, compared with a plain reading of the rules; and how long it takes among a thousand. */
#include "oom.h"

#include "../test.h"

#define MOST 60
#define ROUNDS 400

/* What the model knows of a group. */
struct node {
	struct bma_group *group;
	int parent; /* -1: the top */
	uint64_t own, usage, low, min;
	double eff_low, eff_min; /* effective */
	int32_t score;
	bool candidate, out; /* ignored, or failed */
	uint64_t created;
};

static struct node node[MOST];
static int nodes;
static uint64_t state;

static uint64_t draw(uint64_t n)
{
	return (test_random(&state) >> 20) % n;
}

static uint64_t never(uint64_t bytes, void *ctx)
{
	(void)bytes, (void)ctx;
	return 0;
}

static int depth_of(int i)
{
	return node[i].parent < 0 ? 0 : 1 + depth_of(node[i].parent);
}

static void plant(void)
{
	nodes = 1 + (int)draw(MOST);
	for (int i = 0; i < nodes; i++) {
		struct node *n = &node[i];

		memset(n, 0, sizeof *n);
		n->parent = i ? (int)draw((uint64_t)i) : -1;
		if (i && depth_of(i) > 8)
			n->parent = 0;
		n->group = make(i ? node[n->parent].group : NULL, NULL);
		n->own = draw(4) ? draw(1000) : 0;
		if (n->own)
			cr_assert_eq(charge(n->group, n->own), 0);
		n->low = draw(2) ? draw(1500) : 0;
		n->min = draw(3) ? 0 : draw(800);
		cr_assert_eq(bma_group_set(n->group, BMA_GROUP_LOW, n->low), 0);
		cr_assert_eq(bma_group_set(n->group, BMA_GROUP_MIN, n->min), 0);
		n->candidate = draw(3) != 0;
		n->score = draw(2) ? 0 : (int32_t)draw(2001) - 1000;
		if (!draw(6))
			n->score = BMA_OOM_SCORE_MIN;
		if (n->candidate)
			cr_assert_eq(bma_oom_set_release(n->group, never, NULL, n->score), 0);
		n->created = in(n->group)->created_ns;
	}
	for (int i = nodes - 1; i >= 0; i--) {
		node[i].usage += node[i].own;
		if (i)
			node[node[i].parent].usage += node[i].usage;
	}
}

static double least(double x, double y)
{
	return x < y ? x : y;
}

/* Effective protections below @p, by the definition in protect.c. */
static void protect(int p)
{
	double low = 0, min = 0;

	for (int i = 1; i < nodes; i++) {
		if (node[i].parent != p)
			continue;
		low += least((double)node[i].usage, (double)node[i].low);
		min += least((double)node[i].usage, (double)node[i].min);
	}
	for (int i = 1; i < nodes; i++) {
		double mine_low = least((double)node[i].usage, (double)node[i].low);
		double mine_min = least((double)node[i].usage, (double)node[i].min);

		if (node[i].parent != p)
			continue;
		node[i].eff_low = !p			   ? (double)node[i].low
				  : low <= node[p].eff_low ? mine_low
							   : mine_low * node[p].eff_low / low;
		node[i].eff_min = !p			   ? (double)node[i].min
				  : min <= node[p].eff_min ? mine_min
							   : mine_min * node[p].eff_min / min;
		protect(i);
	}
}

static double excess(const struct node *n)
{
	double spared = n->eff_low > n->eff_min ? n->eff_low : n->eff_min;

	return (double)n->usage > spared ? (double)n->usage - spared : 0;
}

/* Is @x at least as good a victim as all others? Sums in the library are rounded down, level by level. */
#define SLACK 20.0

static bool at_least(double x, double y)
{
	return x >= y - SLACK;
}

static bool eligible(const struct node *n)
{
	return n->candidate && !n->out && n->usage;
}

static bool beats(const struct node *x, const struct node *y, char rule)
{
	switch (rule) {
	case 'b':
		if ((x->score == BMA_OOM_SCORE_MIN) != (y->score == BMA_OOM_SCORE_MIN))
			return y->score == BMA_OOM_SCORE_MIN;
		return excess(x) * (1000 + x->score) >=
		       excess(y) * (1000 + y->score) - SLACK * 2000;
	case 'l':
		return at_least(excess(x), excess(y));
	case 's':
		return x->score > y->score ||
		       (x->score == y->score && at_least(excess(x), excess(y)));
	default:
		return x->created <= y->created;
	}
}

static void check(const struct bma__candidate *c, char rule)
{
	const struct node *chosen = NULL;
	int there = 0;

	for (int i = 0; i < nodes; i++) {
		there += eligible(&node[i]);
		if (c && node[i].group == c->group)
			chosen = &node[i];
	}
	cr_assert_eq(!c, !there, "rule %c: %d candidates", rule, there);
	if (!c)
		return;
	cr_assert(chosen && eligible(chosen), "rule %c", rule);
	for (int i = 0; i < nodes; i++)
		cr_assert(!eligible(&node[i]) || beats(chosen, &node[i], rule),
			  "rule %c: %d of %d is better (seed %llu)", rule, i, nodes,
			  (unsigned long long)test_seed);
}

static void check_all(struct bma_oom *oom)
{
	struct bma_oom_candidate o;
	int seen = 0, there = 0;

	for (int i = 0; i < nodes; i++)
		there += node[i].candidate && !node[i].out;
	while (bma_oom_next(oom, &o))
		seen++;
	cr_assert_eq(seen, there);
	check(bma__victim_built_in(oom), 'b');
	check(bma__victim_largest(oom), 'l');
	check(bma__victim_by_score(oom), 's');
	check(bma__victim_oldest(oom), 'o');
}

static void cut_down(void)
{
	for (int i = nodes - 1; i >= 0; i--) {
		if (node[i].own)
			uncharge(node[i].group, node[i].own);
		take_away(node[i].group);
	}
}

static void one_tree(void)
{
	struct bma_oom oom;

	plant();
	node[0].eff_low = node[0].eff_min = 0;
	protect(0);
	bma__victims_begin(&oom, node[0].group, 1);
	check_all(&oom);
	/* One after the other is ignored, by whatever way it is found, or fails, or ends. */
	for (int i = 0; i < nodes; i++) {
		struct node *n = &node[draw((uint64_t)nodes)];
		struct bma__candidate *c = bma__victim_find(&oom, n->group);

		cr_assert_eq(c != NULL, n->candidate && !n->out);
		if (!c)
			continue;
		n->out = true;
		switch (draw(3)) {
		case 0:
			cr_assert_eq(bma_oom_ignore(&oom, n->group), 0);
			break;
		case 1:
			c->failed = true;
			break;
		default:
			cr_assert_eq(bma_oom_set_release(n->group, NULL, NULL, 0), 0);
		}
		bma__victims_refresh(&oom);
		check_all(&oom);
	}
	bma__victims_end(&oom);
	cut_down();
}

Test(oom_model, victims)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	test_seed = state = (uint64_t)ts.tv_nsec * 2654435761u | 1;
	for (int i = 0; i < ROUNDS; i++)
		one_tree();
}

#define THOUSAND 1000
#define MS 1000000u

/* Ignores all but the last but one, which is the dearest way to choose. */
static void decide(struct bma_oom *oom, int leave)
{
	struct bma_oom_candidate o;

	while (bma_oom_next(oom, &o)) {
		if (leave--)
			cr_assert_eq(bma_oom_ignore(oom, o.group), 0);
	}
}

Test(oom_model, a_decision_among_a_thousand)
{
	static struct bma_group *group[THOUSAND];
	struct bma_group *top = make_limited(NULL, "top", 0);
	uint64_t best = UINT64_MAX, dearest = UINT64_MAX;

	for (int i = 0; i < THOUSAND; i++) {
		/* Half of them below others. */
		group[i] = make(i % 2 ? group[i - 1] : top, NULL);
		cr_assert_eq(charge(group[i], (uint64_t)(i + 1)), 0);
		cr_assert_eq(bma_group_set(group[i], BMA_GROUP_LOW, 1), 0);
		cr_assert_eq(bma_oom_set_release(group[i], never, NULL, 0), 0);
	}
	for (int i = 0; i < 20; i++) {
		uint64_t begun = bma__os_now(), now;
		struct bma_oom oom;

		bma__victims_begin(&oom, top, 1);
		cr_assert_eq(oom.n, THOUSAND);
		cr_assert_eq(bma__victim_built_in(&oom)->group, group[THOUSAND - 2]);
		now = bma__os_now();
		best = now - begun < best ? now - begun : best;
		decide(&oom, THOUSAND - 1);
		for (int k = 0; k < THOUSAND; k++)
			bma_oom_select(&oom, group[THOUSAND - 1 - k]);
		now = bma__os_now();
		dearest = now - begun < dearest ? now - begun : dearest;
		bma__victims_end(&oom);
	}
	printf("a decision among %d: %llu us; where %d are looked up: %llu us\n", THOUSAND,
	       (unsigned long long)best / 1000, 2 * THOUSAND, (unsigned long long)dearest / 1000);
	/* A sanitizer takes its time, and so does a loaded machine. */
	cr_assert_leq(best, 10 * MS);
	cr_assert_leq(dearest, 10 * MS);
}
