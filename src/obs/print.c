/* SPDX-License-Identifier: MIT */
/* Figures as text or JSON, part by part; those of groups are in group_print.c. */
#include "obs.h"

#include <errno.h>

#define DEFAULT (BMA_STATS_PROCESS | BMA_STATS_GROUPS)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define PROCESS(name, unit, text) {#name, unit, text, offsetof(struct bma_stats, name)},
#define LEDGER(name, unit, text) {#name, unit, text, offsetof(struct bma_ledger, name)},
#define CACHE(name, unit, text) {#name, unit, text, offsetof(struct bma_cache_stats, name)},
#define NODE(name, unit, text) {#name, unit, text, offsetof(struct bma_node_stats, name)},
#define RCU(name, unit, text) {#name, unit, text, offsetof(struct bma_rcu_stats, name)},

static const struct bma__figure process_figures[] = {BMA_STATS_FIGURES(PROCESS)};
static const struct bma__figure ledger_figures[] = {BMA_LEDGER_FIGURES(LEDGER)};
static const struct bma__figure cache_figures[] = {BMA_CACHE_FIGURES(CACHE)};
static const struct bma__figure node_figures[] = {BMA_NODE_FIGURES(NODE)};
static const struct bma__figure rcu_figures[] = {BMA_RCU_FIGURES(RCU)};

/* What differs from one visit of a cache to the next. */
struct caches {
	struct bma__text *t;
	bool slots;
};

static int process(struct bma__text *t)
{
	static const char *const modes[] = {"none", "rseq_cid", "rseq_cpu", "guest"};
	struct bma_stats s;
	struct bma_ledger l;

	bma_stats_get(&s, sizeof s);
	bma_ledger_get(&l, sizeof l);
	bma__text_put(t,
		      t->json ? "\"mode\":\"%s\",\"mode_reason\":" : "process mode %s mode_reason ",
		      modes[s.mode]);
	bma__text_name(t, s.mode_reason ? s.mode_reason : "");
	bma__text_figures(t, process_figures, COUNT(process_figures), &s, false);
	bma__text_put(t, t->json ? ",\"ledger\":{" : "\nledger");
	bma__text_figures(t, ledger_figures, COUNT(ledger_figures), &l, true);
	bma__text_put(t, t->json ? "}" : "\n");
	return bma__text_flush(t);
}

static int slot(struct bma__text *t, const struct bma__engine *e, uint32_t plane, bool first)
{
	bool guest = plane >= bma__cpu.slots;
	uint64_t index = guest ? plane - bma__cpu.slots : plane;

	if (t->json)
		bma__text_put(t, "%s{\"kind\":\"%s\"", first ? "" : ",", guest ? "guest" : "index");
	else
		bma__text_put(t, "slot %s", guest ? "guest" : "index");
	bma__text_figure(t, "number", index, false);
	bma__text_figure(t, "objects", bma__slot_count(e, plane), false);
	bma__text_figure(t, "high", bma__slot_high(e, plane), false);
	bma__text_put(t, t->json ? "}" : "\n");
	return bma__text_flush(t);
}

static int slots(struct bma__text *t, const struct bma__engine *e)
{
	bool first = true;
	uint32_t plane;
	int rc = 0;

	if (t->json)
		bma__text_put(t, ",\"slots\":[");
	bma__plane_for_each (e, plane) {
		if (!rc)
			rc = slot(t, e, plane, first);
		first = false;
	}
	if (t->json)
		bma__text_put(t, "]");
	return rc;
}

static int cache(struct bma__engine *e, const struct bma_cache_stats *s, struct caches *c)
{
	struct bma__text *t = c->t;
	int rc = 0;

	bma__text_entry(t);
	bma__text_put(t, t->json ? "{\"name\":" : "cache ");
	bma__text_name(t, s->name);
	bma__text_put(t, t->json ? ",\"rcu\":\"%s\"" : " rcu %s", s->rcu);
	bma__text_figures(t, cache_figures, COUNT(cache_figures), s, false);
	if (!t->json)
		bma__text_put(t, "\n");
	if (c->slots)
		rc = slots(t, e);
	if (t->json)
		bma__text_put(t, "}");
	return rc ? rc : bma__text_flush(t);
}

static int caches(struct bma__text *t, const char *prefix, bool with_slots)
{
	struct caches c = {t, with_slots};
	struct bma__engine *e = NULL;
	int rc = 0;

	while (!rc && (e = bma__stats_next(e, prefix))) {
		struct bma_cache_stats s;

		bma__stats_of(e, &s);
		rc = cache(e, &s, &c);
	}
	if (e)
		bma__engine_unpin(e);
	return rc;
}

static int nodes(struct bma__text *t)
{
	struct bma_node_stats s;
	int rc = 0;

	for (unsigned int nth = 0; !rc && !bma_node_stats_get(nth, &s, sizeof s); nth++) {
		bma__text_entry(t);
		bma__text_put(t, t->json ? "{" : "numa");
		bma__text_figures(t, node_figures, COUNT(node_figures), &s, true);
		bma__text_put(t, t->json ? "}" : "\n");
		rc = bma__text_flush(t);
	}
	return rc;
}

static int rcu(struct bma__text *t)
{
	struct bma_rcu_stats s;
	int rc = 0;

	for (unsigned int nth = 0; !rc && !bma_rcu_stats_get(nth, &s, sizeof s); nth++) {
		bma__text_entry(t);
		bma__text_put(t, t->json ? "{\"name\":\"%s\"" : "rcu %s", s.name);
		bma__text_figures(t, rcu_figures, COUNT(rcu_figures), &s, false);
		bma__text_put(t, t->json ? "}" : "\n");
		rc = bma__text_flush(t);
	}
	return rc;
}

static int part(struct bma__text *t, unsigned int what, const char *prefix, bool with_slots)
{
	switch (what) {
	case BMA_STATS_PROCESS:
		return process(t);
	case BMA_STATS_CACHES:
		return caches(t, prefix, with_slots);
	case BMA_STATS_NODES:
		return nodes(t);
	case BMA_STATS_RCU:
		return rcu(t);
	default:
		return bma__group_print(t);
	}
}

int bma_stats_write(int fd, unsigned int flags, const char *prefix)
{
	static const struct {
		unsigned int what;
		const char *begin, *end;
	} parts[] = {
		{BMA_STATS_PROCESS, "\"process\":{", "}"},
		{BMA_STATS_CACHES, "\"caches\":[", "\n]"},
		{BMA_STATS_NODES, "\"nodes\":[", "\n]"},
		{BMA_STATS_RCU, "\"rcu\":[", "\n]"},
		{BMA_STATS_GROUPS, "\"groups\":[", "\n]"},
	};
	struct bma__text t = {.fd = fd, .json = flags & BMA_STATS_JSON};
	unsigned int wanted = flags & ~BMA_STATS_JSON;
	bool any = false;
	int rc = 0;

	if (wanted & ~BMA_STATS_ALL)
		return -EINVAL;
	wanted = wanted ? wanted : DEFAULT;
	if (wanted & BMA_STATS_SLOTS)
		wanted |= BMA_STATS_CACHES;
	if (t.json)
		bma__text_put(&t, "{");
	for (size_t i = 0; !rc && i < COUNT(parts); i++) {
		if (!(wanted & parts[i].what))
			continue;
		if (t.json)
			bma__text_put(&t, "%s%s", any ? "," : "", parts[i].begin);
		t.first = any = true;
		rc = part(&t, parts[i].what, prefix, wanted & BMA_STATS_SLOTS);
		if (t.json)
			bma__text_put(&t, "%s", parts[i].end);
	}
	if (rc)
		return rc;
	if (t.json)
		bma__text_put(&t, "}\n");
	return bma__text_flush(&t);
}

int bma_stats_print(int fd)
{
	return bma_stats_write(fd, 0, NULL);
}

int bma_stats_write_json(int fd)
{
	return bma_stats_write(fd, BMA_STATS_JSON, NULL);
}
