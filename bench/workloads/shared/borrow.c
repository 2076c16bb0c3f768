/* SPDX-License-Identifier: MIT */
/*
 * What does it cost to say that a group uses more of a shared one, and then less? One attachment, which is counted in each group from it up to the root; levels are those below the root.
 * `counted_ns` is of a policy that adds borrows to what these groups are charged for, `known_ns` of one that does not; both for a pair of calls.
 */
#include "shared.h"

#define PAIRS 4096
#define BYTES 4096

enum { COUNTED, KNOWN, LOOPS };

struct pair {
	struct bma_group *shared, *group;
};

static uint64_t pairs(const struct pair *p)
{
	uint64_t begun = host_tick_begin();

	for (int i = 0; i < PAIRS; i++) {
		if (bma_shared_borrow(p->shared, p->group, BYTES) ||
		    bma_shared_unborrow(p->shared, p->group, BYTES))
			bench_die("a borrow failed");
	}
	return host_tick_end() - begun;
}

static uint64_t counted(void *arg)
{
	return pairs(&((const struct pair *)arg)[COUNTED]);
}

static uint64_t known(void *arg)
{
	return pairs(&((const struct pair *)arg)[KNOWN]);
}

static uint64_t (*const loops[LOOPS])(void *) = {counted, known};

static struct pair made(struct bma_cache *cache, unsigned int levels, enum bma_shared_policy policy)
{
	struct pair p = {.shared = bma_cache_group(cache), .group = group_made(NULL, levels)};

	if (bma_shared_attach(p.shared, p.group, policy, BMA_GROUP_NO_LIMIT))
		bench_die("bma_shared_attach failed");
	return p;
}

static void borrow(struct bench_state *st, void *arg)
{
	static struct turns turns;
	unsigned int levels = (unsigned int)bench_range(st, 0);
	struct bma_cache *cache = group_cache(BYTES, BMA_CACHE_MERGE, bma_shared_create(NULL));
	struct pair pair[LOOPS] = {made(cache, levels, BMA_SHARED_BORROWED),
				   made(cache, levels, BMA_SHARED_NOTHING)};

	(void)arg;
	/* Live, so that there is a charge to borrow of. */
	if (!bma_cache_alloc_flags(cache, BMA_SLEEP))
		bench_die("no memory");
	while (bench_keep_running(st)) {
		turns_run(&turns, loops, LOOPS, pair);
		bench_set_iteration_time(st, turns_ns(&turns, COUNTED, PAIRS) * 1e-9);
		bench_set_counter(st, "counted_ns", turns_ns(&turns, COUNTED, PAIRS), 0);
		bench_set_counter(st, "known_ns", turns_ns(&turns, KNOWN, PAIRS), 0);
	}
}

void shared_borrow_register(void)
{
	static const char *const names[] = {"levels"};
	struct bench *b = group_row("shared/borrow", borrow, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, 1);
	bench_arg(b, 8);
}
