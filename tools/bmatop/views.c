/* SPDX-License-Identifier: MIT */
/* The head, and the views but that of caches; see view.h. */
#include "process.h"
#include "view.h"

#include <string.h>

const char *const view_names[VIEWS] = {"caches", "cpus", "nodes", "groups", "limbo"};

static unsigned long long number(const struct table *t, uint32_t row, const char *field)
{
	return table_number(t, row, field);
}

static void put_more(FILE *out, const struct table *t, const char *what)
{
	if (t->is->more)
		fprintf(out, "and %llu %s more\n", (unsigned long long)t->is->more, what);
}

static void put_totals(FILE *out, const struct page *p)
{
	struct table process = page_table(p, "process"), caches = page_table(p, "caches");
	unsigned long long live = 0, carved = 0;

	for (uint32_t i = 0; i < caches.rows; i++) {
		live += number(&caches, i, "live");
		carved += number(&caches, i, "carved");
	}
	fprintf(out,
		"Objects live / carved %llu / %llu (%.1f%%), caches %llu, slots %llu, nodes %llu, "
		"grace periods %llu%s\n",
		live, carved, carved ? 100.0 * (double)live / (double)carved : 0.0,
		number(&process, 0, "caches"), number(&process, 0, "slots"),
		number(&process, 0, "nodes"), number(&process, 0, "grace_periods"),
		number(&process, 0, "grace_periods_frozen") ? ", FROZEN" : "");
}

void view_head(FILE *out, const struct page *p, enum view view, char sort, const char *note)
{
	struct table process = page_table(p, "process"), l = page_table(p, "ledger");
	char state[64];

	fprintf(out, "bmatop - pid %u (", p->head->pid);
	put_clean(out, p->head->program, 0);
	fprintf(out, "), bma %s, ", version_of(p->head->version));
	put_clean(out, table_text(&process, 0, "mode"), 0);
	fprintf(out, ", %s%s%s\n", process_state(p, state), note ? ": " : "", note ? note : "");
	fprintf(out,
		"Resident %s: live %s, cached %s, limbo %s, parked %s, slab free %s, metadata %s\n",
		bytes_of(number(&l, 0, "resident")), bytes_of(number(&l, 0, "live")),
		bytes_of(number(&l, 0, "cached")), bytes_of(number(&l, 0, "limbo")),
		bytes_of(number(&l, 0, "parked")), bytes_of(number(&l, 0, "slab_free")),
		bytes_of(number(&l, 0, "metadata")));
	put_totals(out, p);
	fprintf(out, "Views: C caches  P CPUs  N nodes  G groups  L limbo  Tab next   q quit\n");
	if (view == VIEW_CACHES)
		fprintf(out,
			"Sort: a live b objs/slab c size l,v slabs n name o objs p pages/slab s "
			"obj size "
			"u use, now %c",
			sort);
	fputc('\n', out);
}

void view_cpus(FILE *out, const struct page *p)
{
	struct table t = page_table(p, "slots");

	fprintf(out, "%-6s %6s %10s %10s %10s %7s\n", "KIND", "SLOT", "OBJECTS", "SIZE", "AT MOST",
		"CACHES");
	for (uint32_t i = 0; i < t.rows; i++) {
		put_clean(out, table_text(&t, i, "kind"), 6);
		fprintf(out, " %6llu %10llu %10s %10llu %7llu\n", number(&t, i, "number"),
			number(&t, i, "objects"), bytes_of(number(&t, i, "bytes")),
			number(&t, i, "high"), number(&t, i, "caches"));
	}
	put_more(out, &t, "slots");
}

void view_nodes(FILE *out, const struct page *p)
{
	struct table t = page_table(p, "nodes");

	fprintf(out, "%4s %5s %8s %10s %10s %10s %9s %8s\n", "NODE", "CPUS", "SIZE", "LOCAL",
		"REMOTE", "HOME", "ELSEWHERE", "REFUSED");
	for (uint32_t i = 0; i < t.rows; i++)
		fprintf(out, "%4llu %5llu %8s %10llu %10llu %10llu %9llu %8llu\n",
			number(&t, i, "node"), number(&t, i, "cpus"),
			bytes_of(number(&t, i, "slab_bytes")), number(&t, i, "local"),
			number(&t, i, "remote"), number(&t, i, "home_returns"),
			number(&t, i, "elsewhere"), number(&t, i, "refused"));
	put_more(out, &t, "nodes");
}

/* A group's own name, below those that it is in. Parents come first in the page. */
static void put_group_name(FILE *out, const struct table *t, uint32_t row)
{
	const char *path = table_text(t, row, "path"), *last = strrchr(path, '/');
	int depth = (int)(number(t, row, "depth") & 0xff);

	fprintf(out, "%*s", 2 * depth, "");
	put_clean(out, last && last[1] ? last + 1 : path, 0);
	if (*table_text(t, row, "policy")) {
		fprintf(out, " [");
		put_clean(out, table_text(t, row, "policy"), 0);
		fprintf(out, "]");
	}
	fputc('\n', out);
}

void view_groups(FILE *out, const struct page *p)
{
	struct table t = page_table(p, "groups");

	fprintf(out, "%8s %8s %8s %8s %8s %8s %6s %8s  %s\n", "CURRENT", "PEAK", "MAX", "HIGH",
		"LOW", "MIN", "OOM", "STALL", "GROUP");
	for (uint32_t i = 0; i < t.rows; i++) {
		fprintf(out, "%8s %8s %8s %8s %8s ", bytes_of(number(&t, i, "current")),
			bytes_of(number(&t, i, "peak")), bytes_of(number(&t, i, "max")),
			bytes_of(number(&t, i, "high")), bytes_of(number(&t, i, "low")));
		fprintf(out, "%8s %6llu %8s  ", bytes_of(number(&t, i, "min")),
			number(&t, i, "event_oom"), time_of(number(&t, i, "stall_ns")));
		put_group_name(out, &t, i);
	}
	put_more(out, &t, "groups");
}

static void put_waiting(FILE *out, const struct page *p)
{
	struct table t = page_table(p, "caches");

	fprintf(out, "\n%8s %8s %8s %10s %9s  %s\n", "LIMBO", "SIZE", "PEAK", "AT MOST", "OVERRUNS",
		"CACHE");
	for (uint32_t i = 0; i < t.rows; i++) {
		if (!number(&t, i, "limbo") && !number(&t, i, "limbo_peak"))
			continue;
		fprintf(out, "%8llu %8s %8llu %10llu %9llu  ", number(&t, i, "limbo"),
			bytes_of(number(&t, i, "limbo") * number(&t, i, "stride")),
			number(&t, i, "limbo_peak"), number(&t, i, "limbo_max"),
			number(&t, i, "limbo_overruns"));
		put_clean(out, table_text(&t, i, "name"), 0);
		fputc('\n', out);
	}
}

void view_limbo(FILE *out, const struct page *p)
{
	struct table t = page_table(p, "rcu");

	fprintf(out, "%-16s %10s %10s %10s %8s %8s %8s\n", "FLAVOUR", "RUNNING", "LONGEST",
		"PERIODS", "WAITS", "PEAK", "SLABS");
	for (uint32_t i = 0; i < t.rows; i++) {
		put_clean(out, table_text(&t, i, "name"), 16);
		fprintf(out, " %10s %10s %10llu %8s %8s %8s%s\n",
			time_of(number(&t, i, "running_ns")), time_of(number(&t, i, "longest_ns")),
			number(&t, i, "grace_periods"), bytes_of(number(&t, i, "limbo_bytes")),
			bytes_of(number(&t, i, "limbo_peak_bytes")),
			bytes_of(number(&t, i, "purge_bytes")),
			number(&t, i, "frozen") ? " FROZEN" : "");
	}
	put_more(out, &t, "flavours");
	put_waiting(out, p);
}

void view_put(FILE *out, const struct page *p, enum view view, char sort)
{
	switch (view) {
	case VIEW_CPUS:
		view_cpus(out, p);
		break;
	case VIEW_NODES:
		view_nodes(out, p);
		break;
	case VIEW_GROUPS:
		view_groups(out, p);
		break;
	case VIEW_LIMBO:
		view_limbo(out, p);
		break;
	default:
		view_caches(out, p, sort);
	}
}
