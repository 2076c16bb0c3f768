/* SPDX-License-Identifier: MIT */
/* What is in the page's tables, see export.h: the lists of figures of the public headers, and those of slots and groups. */
#include "obs.h"

#include <stdio.h>
#include <string.h>

#define CACHES_MOST 256u
#define GROUPS_MOST 128u
#define SLOTS_MOST 1024u
#define COUNT(a) ((uint32_t)(sizeof(a) / sizeof((a)[0])))
#define FITS(fields) _Static_assert(COUNT(fields) <= BMA__PAGE_FIELDS_MOST, "see export_layout.h")

/* What a reader wants of a cache besides its figures. */
#define CACHE_MORE(F)                                                                              \
	F(id, "number", "of the cache, for names need not be unique")                              \
	F(slab_objects, "objects", "that a slab has room for")                                     \
	F(slab_size, "bytes", "of a slab, with copies")

#define SLOT_FIGURES(F)                                                                            \
	F(number, "number", "of the slot: a concurrency id, or a CPU, or a guest slot")            \
	F(objects, "objects", "that it holds, of all caches")                                      \
	F(bytes, "bytes", "of these")                                                              \
	F(high, "objects", "that it keeps at most, of all caches")                                 \
	F(caches, "caches", "that it holds or held objects of")

#define GROUP_FIGURES(F)                                                                           \
	F(depth, "levels", "below the root")                                                       \
	F(shared, "flag", "1: a shared group")                                                     \
	F(current, "bytes", "charged to it and to all below it, and what these borrow")            \
	F(peak, "bytes", "the most that was")                                                      \
	F(max, "bytes", "hard limit")                                                              \
	F(high, "bytes", "above it callers are slowed down")                                       \
	F(low, "bytes", "protected as far as there is other memory")                               \
	F(min, "bytes", "protected")                                                               \
	F(own, "bytes", "charged to it and not to a group below")                                  \
	F(event_low, "count", "times that it was reclaimed although below its low")                \
	F(event_high, "count", "times that a charge ended above high")                             \
	F(event_max, "count", "times that a charge was about to go over max")                      \
	F(event_oom, "count", "allocations that may sleep and failed")                             \
	F(event_oom_reclaim, "count", "times that reclaim or a victim made room")                  \
	F(fail_limit, "calls", "that failed for a limit")                                          \
	F(fail_moving, "calls", "that failed because charges were moving")                         \
	F(fail_memory, "calls", "that were charged and found no object")                           \
	F(throttled_ns, "ns", "that callers were slowed down for its high")                        \
	F(stall_ns, "ns", "that callers waited for memory on its behalf")

#define FIGURE(name, unit, text) uint64_t name;

struct process_row {
	char mode[16], mode_reason[128];
	struct bma_stats s;
};

struct cache_row {
	char rcu[24];
	struct bma_cache_stats s;
	CACHE_MORE(FIGURE)
};

struct slot_row {
	char kind[8];
	SLOT_FIGURES(FIGURE)
};

struct group_row {
	char path[BMA__GROUP_PATH_MAX + 6], policy[32];
	GROUP_FIGURES(FIGURE)
};

#define TEXT(row, member, name, text)                                                              \
	{                                                                                          \
		name, "text", text, offsetof(struct row, member),                                  \
			sizeof(((struct row *)0)->member)                                          \
	}
#define PROCESS(name, unit, text) {#name, unit, text, offsetof(struct process_row, s.name), 8},
#define LEDGER(name, unit, text) {#name, unit, text, offsetof(struct bma_ledger, name), 8},
#define CACHE(name, unit, text) {#name, unit, text, offsetof(struct cache_row, s.name), 8},
#define MORE(name, unit, text) {#name, unit, text, offsetof(struct cache_row, name), 8},
#define SLOT(name, unit, text) {#name, unit, text, offsetof(struct slot_row, name), 8},
#define NODE(name, unit, text) {#name, unit, text, offsetof(struct bma_node_stats, name), 8},
#define RCU(name, unit, text) {#name, unit, text, offsetof(struct bma_rcu_stats, name), 8},
#define GROUP(name, unit, text) {#name, unit, text, offsetof(struct group_row, name), 8},

static const struct bma__export_field process_fields[] = {
	TEXT(process_row, mode, "mode", "how slots are found"),
	TEXT(process_row, mode_reason, "mode_reason", "why that one"), BMA_STATS_FIGURES(PROCESS)};
static const struct bma__export_field ledger_fields[] = {BMA_LEDGER_FIGURES(LEDGER)};
static const struct bma__export_field cache_fields[] = {
	TEXT(cache_row, s.name, "name", "of the cache"),
	TEXT(cache_row, rcu, "rcu", "its flavour of RCU"),
	BMA_CACHE_FIGURES(CACHE) CACHE_MORE(MORE)};
static const struct bma__export_field slot_fields[] = {
	TEXT(slot_row, kind, "kind", "index or guest"), SLOT_FIGURES(SLOT)};
static const struct bma__export_field node_fields[] = {BMA_NODE_FIGURES(NODE)};
static const struct bma__export_field rcu_fields[] = {
	TEXT(bma_rcu_stats, name, "name", "of the flavour"), BMA_RCU_FIGURES(RCU)};
static const struct bma__export_field group_fields[] = {
	TEXT(group_row, path, "path", "of the group; of a shared one @ and its name"),
	TEXT(group_row, policy, "policy", "of its own, for when it runs out"),
	GROUP_FIGURES(GROUP)};

FITS(process_fields);
FITS(ledger_fields);
FITS(cache_fields);
FITS(slot_fields);
FITS(node_fields);
FITS(rcu_fields);
FITS(group_fields);
_Static_assert(CACHES_MOST <= BMA__PAGE_ROWS_MOST && GROUPS_MOST <= BMA__PAGE_ROWS_MOST &&
		       SLOTS_MOST <= BMA__PAGE_ROWS_MOST && BMA__NODES_MAX <= BMA__PAGE_ROWS_MOST &&
		       BMA__FLAVORS_MAX <= BMA__PAGE_ROWS_MOST,
	       "see export_layout.h");
_Static_assert(CACHES_MOST * sizeof(struct cache_row) + GROUPS_MOST * sizeof(struct group_row) +
			       SLOTS_MOST * sizeof(struct slot_row) +
			       BMA__NODES_MAX * sizeof(struct bma_node_stats) <=
		       BMA__PAGE_BYTES_MOST / 2,
	       "see export_layout.h");

void bma__export_tables(struct bma__export_table *t)
{
	uint32_t planes = bma__cpu.slots + bma__cpu.guests;

#define TABLE(name, fields, row, most)                                                             \
	{                                                                                          \
		name, fields, COUNT(fields), sizeof(row), most, NULL, 0, 0                         \
	}
	const struct bma__export_table all[BMA__EXPORT_TABLES] = {
		TABLE("process", process_fields, struct process_row, 1),
		TABLE("ledger", ledger_fields, struct bma_ledger, 1),
		TABLE("caches", cache_fields, struct cache_row, CACHES_MOST),
		TABLE("slots", slot_fields, struct slot_row,
		      planes < SLOTS_MOST ? planes : SLOTS_MOST),
		TABLE("nodes", node_fields, struct bma_node_stats, bma__topo.nodes),
		TABLE("rcu", rcu_fields, struct bma_rcu_stats, BMA__FLAVORS_MAX),
		TABLE("groups", group_fields, struct group_row, GROUPS_MOST),
	};
#undef TABLE
	memcpy(t, all, sizeof all);
}

/* Room for one more row, all zeros, or NULL. */
static void *row(struct bma__export_table *t)
{
	void *to = t->to + (size_t)t->rows * t->row_size;

	if (t->rows == t->rows_most) {
		t->more++;
		return NULL;
	}
	t->rows++;
	return memset(to, 0, t->row_size);
}

static void process(struct bma__export_table *t)
{
	static const char *const modes[] = {"none", "rseq_cid", "rseq_cpu", "guest"};
	struct process_row *r = row(t);

	bma_stats_get(&r->s, sizeof r->s);
	snprintf(r->mode, sizeof r->mode, "%s", modes[r->s.mode]);
	snprintf(r->mode_reason, sizeof r->mode_reason, "%s",
		 r->s.mode_reason ? r->s.mode_reason : "");
	r->s.mode_reason = NULL; /* no addresses of ours for others */
}

/* Slots of the table that hold something move up; before that each plane has its row. */
static void add_slots(const struct bma__engine *e, struct bma__export_table *t)
{
	struct slot_row *rows = (void *)t->to;
	uint64_t each = e->charge;
	uint32_t plane;

	bma__plane_for_each (e, plane) {
		uint64_t n = bma__slot_count(e, plane);

		if (plane >= t->rows_most)
			continue;
		rows[plane].caches++;
		rows[plane].objects += n;
		rows[plane].bytes += n * each;
		rows[plane].high += bma__slot_high(e, plane);
	}
}

static void end_slots(struct bma__export_table *t)
{
	struct slot_row *rows = (void *)t->to;

	for (uint32_t plane = 0; plane < t->rows_most; plane++) {
		struct slot_row r = rows[plane];
		bool guest = plane >= bma__cpu.slots;

		if (!r.caches)
			continue;
		snprintf(r.kind, sizeof r.kind, "%s", guest ? "guest" : "index");
		r.number = guest ? plane - bma__cpu.slots : plane;
		rows[t->rows++] = r;
	}
	t->more = bma__cpu.slots + bma__cpu.guests - t->rows_most;
}

static void cache(struct bma__engine *e, const struct bma_cache_stats *s,
		  struct bma__export_table *t)
{
	struct cache_row *r = row(t);

	if (!r)
		return;
	r->s = *s;
	snprintf(r->rcu, sizeof r->rcu, "%s", s->rcu);
	r->s.rcu = NULL;
	r->id = e->id;
	r->slab_objects = e->geo.objs;
	r->slab_size = bma__engine_slab_charge(e);
}

/* One walk makes the rows of caches, of slots and of the ledger: they fit together. It waits for nobody's pass, for it may be the worker's own thread. */
static void engines(struct bma__export_table *tables)
{
	struct bma_ledger *l = row(&tables[BMA__EXPORT_LEDGER]);
	struct bma__export_table *slots = &tables[BMA__EXPORT_SLOTS];
	struct bma__engine *e = NULL;

	memset(slots->to, 0, (size_t)slots->rows_most * slots->row_size);
	while ((e = bma__engine_next(e))) {
		struct bma_cache_stats s;

		bma__stats_at_once(e, &s);
		cache(e, &s, &tables[BMA__EXPORT_CACHES]);
		bma__ledger_add(l, e, &s);
		add_slots(e, slots);
	}
	bma__ledger_end(l);
	end_slots(slots);
}

static void nodes(struct bma__export_table *t)
{
	struct bma_node_stats s;

	for (unsigned int nth = 0; !bma_node_stats_get(nth, &s, sizeof s); nth++) {
		struct bma_node_stats *r = row(t);

		if (r)
			*r = s;
	}
}

static void rcu(struct bma__export_table *t)
{
	struct bma_rcu_stats s;

	for (unsigned int nth = 0; !bma_rcu_stats_get(nth, &s, sizeof s); nth++) {
		struct bma_rcu_stats *r = row(t);

		if (r)
			*r = s;
	}
}

static void group_figures(struct group_row *r, const struct bma_group_stats *s)
{
	r->depth = s->depth;
	r->current = s->current;
	r->peak = s->peak;
	r->max = s->max;
	r->high = s->high;
	r->low = s->low;
	r->min = s->min;
	r->own = s->own;
	r->event_low = s->events[BMA_GROUP_EVENT_LOW];
	r->event_high = s->events[BMA_GROUP_EVENT_HIGH];
	r->event_max = s->events[BMA_GROUP_EVENT_MAX];
	r->event_oom = s->events[BMA_GROUP_EVENT_OOM];
	r->event_oom_reclaim = s->events[BMA_GROUP_EVENT_OOM_RECLAIM];
	r->fail_limit = s->fails[BMA_GROUP_FAIL_LIMIT];
	r->fail_moving = s->fails[BMA_GROUP_FAIL_MOVING];
	r->fail_memory = s->fails[BMA_GROUP_FAIL_MEMORY];
	r->throttled_ns = s->throttled_ns;
}

static int group(struct bma_group *handle, const struct bma_group_stats *s, void *arg)
{
	struct bma__export_table *t = arg;
	struct group_row *r = row(t);
	const struct bma__group *g;

	if (!r)
		return 0;
	group_figures(r, s);
	bma__tree_lock();
	g = bma__group_of(handle);
	if (g) {
		struct bma_oom_stats oom;

		bma__group_path(g, r->path, sizeof r->path);
		bma__oom_figures(g, &oom);
		r->shared = bma__group_is_shared(g);
		r->stall_ns = oom.stall_ns;
		memcpy(r->policy, oom.policy, sizeof r->policy);
	}
	bma__tree_unlock();
	t->rows -= !g; /* gone meanwhile */
	return 0;
}

void bma__export_fill(struct bma__export_table *tables)
{
	for (int i = 0; i < BMA__EXPORT_TABLES; i++) {
		tables[i].rows = 0;
		tables[i].more = 0;
	}
	process(&tables[BMA__EXPORT_PROCESS]);
	engines(tables);
	nodes(&tables[BMA__EXPORT_NODES]);
	rcu(&tables[BMA__EXPORT_RCU]);
	bma_group_visit(NULL, group, &tables[BMA__EXPORT_GROUPS]);
	bma_shared_visit(group, &tables[BMA__EXPORT_GROUPS]);
}
