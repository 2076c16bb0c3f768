/* SPDX-License-Identifier: MIT */
/*
 * How long does it take to choose a victim? A group at its limit with so many below it, each of which has one object and a release function; an allocation that the limit refuses
 * asks the group's policy, which is the ready one that takes the largest, and the victim gives its object back. `decision_ns` is the policy's call, in which it looks at all of
 * them; `event_ns` the whole allocation, with reclaim before and the release after. Medians.
 */
#include "oom.h"

#define MOST 1000
#define EVENTS 64
#define BYTES 4096

struct victim {
	struct bma_group *group;
	struct bma_cache *cache;
	void *obj;
};

static struct victim victims[MOST];
static uint64_t decisions[EVENTS], events[EVENTS];
static size_t decided;

static uint64_t release(uint64_t bytes, void *arg)
{
	struct victim *v = arg;

	(void)bytes;
	if (!v->obj)
		return 0;
	bma_cache_free(v->cache, v->obj);
	v->obj = NULL;
	return BYTES;
}

static enum bma_oom_answer decide(struct bma_oom *oom, void *unused)
{
	uint64_t begun = host_tick_begin();
	enum bma_oom_answer answer = bma_oom_largest(oom, unused);

	if (decided < EVENTS)
		decisions[decided++] = host_tick_end() - begun;
	return answer;
}

static void *take(struct bma_cache *cache)
{
	void *p = bma_cache_alloc_flags(cache, BMA_SLEEP);

	if (!p)
		bench_die("no memory");
	return p;
}

static struct bma_group *made(size_t n)
{
	const struct bma_oom_policy policy = {
		.attr_size = sizeof policy, .name = "largest", .decide = decide};
	struct bma_group *top = group_made(NULL, 1);

	for (size_t i = 0; i < n; i++) {
		struct victim *v = &victims[i];

		v->group = group_made(top, 1);
		v->cache = group_cache(BYTES, BMA_CACHE_MERGE, v->group);
		v->obj = take(v->cache);
		if (bma_oom_set_release(v->group, release, v, 0))
			bench_die("bma_oom_set_release failed");
	}
	if (bma_oom_policy_attach(top, &policy))
		bench_die("bma_oom_policy_attach failed");
	return top;
}

/* One event, and then all is as it was. */
static uint64_t event(struct bma_cache *asks, size_t n)
{
	uint64_t begun = host_tick_begin(), ticks;
	void *p = take(asks);

	ticks = host_tick_end() - begun;
	bma_cache_free(asks, p);
	for (size_t i = 0; i < n; i++) {
		if (!victims[i].obj)
			victims[i].obj = take(victims[i].cache);
	}
	return ticks;
}

static double median_ns(uint64_t *ticks)
{
	qsort(ticks, EVENTS, sizeof *ticks, turns_compare);
	return (double)ticks[EVENTS / 2] * host_tick_ns();
}

static void decision(struct bench_state *st, void *arg)
{
	size_t n = (size_t)bench_range(st, 0);
	struct bma_group *top = made(n);
	struct bma_cache *asks = group_cache(BYTES, BMA_CACHE_MERGE, top);

	(void)arg;
	bma_trim();
	if (bma_group_set(top, BMA_GROUP_MAX, group_current(top)))
		bench_die("bma_group_set failed");
	while (bench_keep_running(st)) {
		decided = 0;
		for (size_t i = 0; i < EVENTS; i++)
			events[i] = event(asks, n);
		if (decided < EVENTS)
			bench_die("nobody was asked");
		bench_set_iteration_time(st, median_ns(decisions) * 1e-9);
		bench_set_counter(st, "decision_ns", median_ns(decisions), 0);
		bench_set_counter(st, "event_ns", median_ns(events), 0);
	}
}

void oom_decision_register(void)
{
	static const char *const names[] = {"groups"};
	struct bench *b = group_row("oom/decision", decision, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, MOST);
}
