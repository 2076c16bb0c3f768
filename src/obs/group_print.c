/* SPDX-License-Identifier: MIT */
/*
 * Figures of all groups as text, in the words of cgroup v2: what is memory.current there is current here and so on, and "max" is no limit.
 *
 * "stall" is how long callers waited for memory on a group's behalf, nanoseconds; "policy" whose turn it is to decide when it runs out, if it has a policy of its own (include/bma/oom.h).
 */
#include "obs.h"

static void put_values(struct bma__text *t, const char *const *names, const uint64_t *values,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (values[i] != BMA_GROUP_NO_LIMIT)
			bma__text_figure(t, names[i], values[i], !i);
		else if (t->json)
			bma__text_put(t, "%s\"%s\":\"max\"", i ? "," : "", names[i]);
		else
			bma__text_put(t, " %s max", names[i]);
	}
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Who decides there when it runs out, where somebody does. */
static void put_policy(struct bma__text *t, const char *name)
{
	if (!t->json && !*name)
		return;
	bma__text_put(t, t->json ? ",\"policy\":" : " policy ");
	bma__text_name(t, name);
}

static void put_group(struct bma__text *t, const char *path, const struct bma_group_stats *s,
		      const struct bma_oom_stats *oom)
{
	static const char *const bytes[] = {"current", "peak", "max", "high", "low", "min"};
	static const char *const events[] = {"low", "high", "max", "oom", "oom_reclaim"};
	const uint64_t amounts[] = {s->current, s->peak, s->max, s->high, s->low, s->min};
	const uint64_t counts[] = {s->events[BMA_GROUP_EVENT_LOW], s->events[BMA_GROUP_EVENT_HIGH],
				   s->events[BMA_GROUP_EVENT_MAX], s->events[BMA_GROUP_EVENT_OOM],
				   s->events[BMA_GROUP_EVENT_OOM_RECLAIM]};

	bma__text_entry(t);
	if (t->json)
		bma__text_put(t, "{\"path\":");
	bma__text_name(t, path);
	if (t->json)
		bma__text_put(t, ",");
	put_values(t, bytes, amounts, COUNT(bytes));
	bma__text_put(t, t->json ? ",\"events\":{" : " events");
	put_values(t, events, counts, COUNT(events));
	bma__text_put(t, t->json ? "},\"stall\":%llu" : " stall %llu",
		      (unsigned long long)oom->stall_ns);
	put_policy(t, oom->policy);
	bma__text_put(t, t->json ? "}" : "\n");
}

static int visit(struct bma_group *handle, const struct bma_group_stats *s, void *arg)
{
	char path[BMA__GROUP_PATH_MAX];
	const struct bma__group *g;
	struct bma_oom_stats oom;
	struct bma__text *t = arg;

	bma__tree_lock();
	g = bma__group_of(handle);
	if (g) {
		bma__group_path(g, path, sizeof path);
		bma__oom_figures(g, &oom);
	}
	bma__tree_unlock();
	if (!g)
		return 0;
	put_group(t, path, s, &oom);
	return bma__text_flush(t);
}

int bma__group_print(struct bma__text *t)
{
	int rc = bma_group_visit(NULL, visit, t);

	return rc ? rc : bma_shared_visit(visit, t);
}
