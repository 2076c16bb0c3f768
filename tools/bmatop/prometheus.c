/* SPDX-License-Identifier: MIT */
/*
 * --prometheus: a metric for each figure of each table, bma_<thing>_<figure>_<unit>, with _total where it only grows. What the page has and this program does not know is
 * there, too, as untyped.
 */
#include "format.h"
#include "process.h"
#include "view.h"

#include <string.h>

/* How rows of a table are told apart: by two fields at most. */
static const struct things {
	const char *table, *thing, *field, *field2;
} things[] = {
	{"process", "process", NULL, NULL}, {"ledger", "ledger", NULL, NULL},
	{"caches", "cache", "name", NULL},  {"slots", "slot", "kind", "number"},
	{"nodes", "node", "node", NULL},    {"rcu", "rcu", "name", NULL},
	{"groups", "group", "path", NULL},
};

/* What only grows. Of the rest, those in these units go up and down. */
static const char *const counters[] = {
	"grace_periods", "worker_wakes", "worker_passes", "depot_exchanges", "refills",
	"drains",	 "parks",	 "fail_*",	  "aborts",	     "limbo_overruns",
	"local",	 "remote",	 "home_returns",  "elsewhere",	     "refused",
	"event_*",	 "throttled_ns", "stall_ns",
};
static const char *const gauge_units[] = {"bytes", "objects", "slabs",	"slots",   "nodes",
					  "flag",  "CPUs",    "caches", "handles", "ns"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool matches(const char *name, const char *pattern)
{
	size_t n = strlen(pattern);

	return pattern[n - 1] == '*' ? !strncmp(name, pattern, n - 1) : !strcmp(name, pattern);
}

static const char *type_of(const struct bma__page_field *f)
{
	for (size_t i = 0; i < COUNT(counters); i++) {
		if (matches(f->name, counters[i]))
			return "counter";
	}
	for (size_t i = 0; i < COUNT(gauge_units); i++) {
		if (!strcmp(f->unit, gauge_units[i]))
			return "gauge";
	}
	return "untyped";
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* A name has letters, digits and underscores only. */
static void put_name(FILE *out, const char *s)
{
	for (; *s; s++) {
		bool letter = (*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9');

		fputc(*s >= 'A' && *s <= 'Z' ? *s - 'A' + 'a' : letter ? *s : '_', out);
	}
}

static void put_metric(FILE *out, const struct things *of, const struct bma__page_field *f)
{
	static const char *const plain[] = {"flag", "count", "number"};
	bool with_unit = !ends_in(f->name, f->unit);

	for (size_t i = 0; i < COUNT(plain); i++)
		with_unit &= strcmp(f->unit, plain[i]) != 0;
	fprintf(out, "bma_%s_", of->thing);
	put_name(out, f->name);
	if (with_unit) {
		fputc('_', out);
		put_name(out, f->unit);
	}
	if (!strcmp(type_of(f), "counter"))
		fputs("_total", out);
}

/* @quote: of a label, else of a HELP line, where only these two are special. */
static void put_escaped(FILE *out, const char *s, bool quote)
{
	while (*s) {
		size_t length = utf8_character(s);

		if (!length)
			fputs("\xef\xbf\xbd", out);
		else if (*s == '\n')
			fputs("\\n", out);
		else if (*s == '\\' || (quote && *s == '"'))
			fprintf(out, "\\%c", *s);
		else
			fwrite(s, 1, length, out);
		s += length ? length : 1;
	}
}

static void put_label(FILE *out, const struct table *t, uint32_t row, const char *label,
		      const char *field)
{
	const struct bma__page_field *f = t->fields;

	while (strcmp(f->name, field))
		f++;
	fprintf(out, "%s=\"", label);
	if (field_is_text(f))
		put_escaped(out, field_text(t, row, f), true);
	else
		fprintf(out, "%llu", (unsigned long long)field_number(t, row, f));
	fputc('"', out);
}

static bool has(const struct table *t, const char *field)
{
	for (uint32_t i = 0; i < t->is->fields; i++) {
		if (!strcmp(t->fields[i].name, field))
			return true;
	}
	return false;
}

/* Two series with equal labels are none: caches of one name are told apart by their number. */
static bool is_alone(const struct table *t, uint32_t row, const char *field)
{
	const char *name = table_text(t, row, field);

	for (uint32_t i = 0; i < t->rows; i++) {
		if (i != row && !strcmp(table_text(t, i, field), name))
			return false;
	}
	return true;
}

static void put_labels(FILE *out, const struct things *of, const struct table *t, uint32_t row,
		       bool alone)
{
	if (!of->field)
		return;
	fputc('{', out);
	put_label(out, t, row, of->thing, of->field);
	if (of->field2) {
		fputc(',', out);
		put_label(out, t, row, of->field2, of->field2);
	} else if (has(t, "id") && !alone) {
		fputc(',', out);
		put_label(out, t, row, "id", "id");
	}
	fputc('}', out);
}

static void put_figure(FILE *out, const struct things *of, const struct table *t,
		       const struct bma__page_field *f, const bool *alone)
{
	fputs("# HELP ", out);
	put_metric(out, of, f);
	fputc(' ', out);
	put_escaped(out, f->name, false);
	fputs(" (", out);
	put_escaped(out, f->unit, false);
	fputs("): ", out);
	put_escaped(out, f->text, false);
	fputs("\n# TYPE ", out);
	put_metric(out, of, f);
	fprintf(out, " %s\n", type_of(f));
	for (uint32_t row = 0; row < t->rows; row++) {
		uint64_t n = field_number(t, row, f);

		put_metric(out, of, f);
		put_labels(out, of, t, row, alone[row]);
		if (n == UINT64_MAX)
			fputs(" +Inf\n", out);
		else
			fprintf(out, " %llu\n", (unsigned long long)n);
	}
}

static void put_things(FILE *out, const struct page *p, const struct things *of)
{
	struct table t = page_table(p, of->table);
	bool alone[BMA__PAGE_ROWS_MOST];

	if ((of->field && !has(&t, of->field)) || (of->field2 && !has(&t, of->field2)))
		return;
	for (uint32_t i = 0; i < t.rows; i++)
		alone[i] = !of->field || is_alone(&t, i, of->field);
	for (uint32_t i = 0; i < t.is->fields; i++) {
		const struct bma__page_field *f = &t.fields[i];
		bool label = (of->field && !strcmp(f->name, of->field)) ||
			     (of->field2 && !strcmp(f->name, of->field2)) || !strcmp(f->name, "id");

		if (!label && !field_is_text(f) && t.rows)
			put_figure(out, of, &t, f, alone);
	}
}

void format_prometheus(FILE *out, const struct page *p)
{
	struct table process = page_table(p, "process");

	fputs("# HELP bma_info what is looked at\n# TYPE bma_info gauge\nbma_info{program=\"", out);
	put_escaped(out, p->head->program, true);
	fprintf(out, "\",pid=\"%u\",version=\"%s\",mode=\"", p->head->pid,
		version_of(p->head->version));
	put_escaped(out, table_text(&process, 0, "mode"), true);
	fputs("\"} 1\n", out);
	fprintf(out,
		"# HELP bma_up 0: the process has ended, these are its last figures\n"
		"# TYPE bma_up gauge\nbma_up %d\n",
		!process_has_ended(p));
	fprintf(out,
		"# HELP bma_page_age_seconds since the figures were written\n"
		"# TYPE bma_page_age_seconds gauge\nbma_page_age_seconds %.3f\n",
		(double)page_age(p) / 1e9);
	for (size_t i = 0; i < COUNT(things); i++)
		put_things(out, p, &things[i]);
}
