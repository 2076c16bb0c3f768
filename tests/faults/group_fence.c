/* SPDX-License-Identifier: MIT */
/*
 * The fence is refused while stocks are drained: they stay as they are, nothing is lost, and who pays can be changed all the same. In a process of its own for each
 * call that needs a fence.
 */
#include "inject.h"

#include <bma/bma.h>

#include <errno.h>
#include <sys/wait.h>

#include "test.h"

#define HELD 500
#define SIZE 120

static struct bma_group *top, *a, *b;
static struct bma_cache *cache;
static void *held[HELD];
static int nheld;

static struct bma_group_stats stat_of(struct bma_group *g)
{
	struct bma_group_stats s;

	CHECK(!bma_group_stat(g, &s, sizeof s), "stat");
	return s;
}

static void take(int n)
{
	while (nheld < n) {
		held[nheld] = bma_cache_alloc_flags(cache, BMA_SLEEP);
		CHECK(held[nheld], "alloc: errno %d", errno);
		nheld++;
	}
}

static void put(int left)
{
	while (nheld > left)
		bma_cache_free(cache, held[--nheld]);
}

/* Of who pays now, and of all above. */
static void check(struct bma_group *g)
{
	struct bma_group_stats s = stat_of(g);

	CHECK(s.own - s.stocked == (uint64_t)nheld * SIZE && s.objects == (uint64_t)nheld,
	      "own %llu stocked %llu held %d", (unsigned long long)s.own,
	      (unsigned long long)s.stocked, nheld);
	CHECK(stat_of(top).current == s.own, "top has %llu",
	      (unsigned long long)stat_of(top).current);
}

/* A stock with something in it, and no fence any more. */
static void make(void)
{
	struct bma_cache_attr c = {.attr_size = sizeof c, .size = SIZE, .flags = BMA_CACHE_MERGE};

	setenv("BMA_CONF", "worker:off", 1);
	top = bma_group_create(bma_group_root(), NULL);
	a = c.group = bma_group_create(top, NULL);
	b = bma_group_create(top, NULL);
	CHECK(top && a && b, "groups");
	cache = bma_cache_create(&c);
	CHECK(cache, "cache");
	take(HELD);
	put(HELD / 2);
	CHECK(stat_of(a).stocked, "nothing is stocked");
	inject_arm(INJECT_MEMBARRIER, 1, true);
}

/* Then there is a fence again. */
static void end(struct bma_group *payer)
{
	take(HELD);
	put(HELD / 3);
	check(payer);
	inject_disarm();
	CHECK(!bma_trim(), "trim");
	check(payer);
	CHECK(!stat_of(payer).stocked, "a trim leaves something");
	put(0);
	CHECK(!bma_trim() && !stat_of(top).current, "left: %llu",
	      (unsigned long long)stat_of(top).current);
}

static void reclaim(void)
{
	make();
	bma_group_reclaim(a, UINT64_MAX);
	check(a);
	bma_trim();
	check(a);
	end(a);
}

static void recharge(void)
{
	uint64_t current;

	make();
	current = stat_of(a).current;
	CHECK(!bma_cache_recharge(cache, b), "recharge");
	CHECK(!stat_of(a).current && !stat_of(a).payers, "something stays behind");
	CHECK(stat_of(b).current <= current, "more than there was");
	check(b);
	end(b);
}

static void recharge_refused(void)
{
	make();
	CHECK(!bma_group_set(b, BMA_GROUP_MAX, (uint64_t)nheld * SIZE - 1), "set");
	CHECK(bma_cache_recharge(cache, b) == -EDQUOT, "recharge");
	CHECK(!stat_of(b).current, "b was charged");
	check(a);
	end(a);
}

static void destroy(void)
{
	struct bma_group_stats s;

	make();
	CHECK(!bma_group_destroy(a), "destroy");
	CHECK(bma_group_stat(a, &s, sizeof s) == -ESTALE, "it is still there");
	s = stat_of(top);
	CHECK(s.own - s.stocked == (uint64_t)nheld * SIZE, "own %llu", (unsigned long long)s.own);
	end(top);
}

/* What is stocked cannot be had for others: they are refused, or served. */
static void at_the_limit(void)
{
	make();
	CHECK(!bma_group_set(a, BMA_GROUP_MAX, stat_of(a).current), "set");
	while (nheld < HELD) {
		held[nheld] = bma_cache_alloc_flags(cache, BMA_SLEEP);
		if (!held[nheld])
			break;
		nheld++;
	}
	CHECK(nheld == HELD || errno == EDQUOT, "errno %d", errno);
	check(a);
	CHECK(stat_of(a).current <= stat_of(a).max, "above its limit");
	CHECK(!bma_group_set(a, BMA_GROUP_MAX, BMA_GROUP_NO_LIMIT), "set");
	end(a);
}

static const struct {
	const char *name;
	void (*main)(void);
} cases[] = {
	{"reclaim", reclaim},
	{"recharge", recharge},
	{"recharge_refused", recharge_refused},
	{"destroy", destroy},
	{"at_the_limit", at_the_limit},
};

int main(void)
{
	int bad = 0, status;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0, "fork");
		if (!pid) {
			alarm(20);
			cases[i].main();
			_exit(0);
		}
		waitpid(pid, &status, 0);
		printf("%s: %x\n", cases[i].name, (unsigned int)status);
		bad += status != 0;
	}
	fflush(stdout);
	CHECK(!bad, "%d cases failed", bad);
	return 0;
}
