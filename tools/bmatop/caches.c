/* SPDX-License-Identifier: MIT */
/* The view of caches, in slabtop(1)'s columns and orders. */
#include "view.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

static uint64_t key(const struct table *t, uint32_t row, char sort)
{
	uint64_t carved = table_number(t, row, "carved"), live = table_number(t, row, "live");

	switch (sort) {
	case 'a':
		return live;
	case 'b':
		return table_number(t, row, "slab_objects");
	case 'c':
		return table_number(t, row, "slab_bytes");
	case 'l':
	case 'v':
		return table_number(t, row, "slabs");
	case 'p':
		return table_number(t, row, "slab_size") / PAGE;
	case 's':
		return table_number(t, row, "object_size");
	case 'u':
		return carved ? live * 10000 / carved : 0;
	default:
		return carved;
	}
}

struct order {
	const struct table *t;
	char sort;
};

static int compare(const void *a, const void *b, void *arg)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const struct order *o = arg;
	int by_name = strcmp(table_text(o->t, x, "name"), table_text(o->t, y, "name"));
	uint64_t kx, ky;

	if (o->sort != 'n') {
		kx = key(o->t, x, o->sort);
		ky = key(o->t, y, o->sort);
		if (kx != ky)
			return kx < ky ? 1 : -1;
	}
	return by_name ? by_name : x < y ? -1 : 1;
}

uint32_t *caches_sorted(const struct table *t, char sort)
{
	uint32_t *rows = malloc((t->rows + 1) * sizeof *rows);
	struct order o = {t, sort};

	if (!rows)
		abort();
	for (uint32_t i = 0; i < t->rows; i++)
		rows[i] = i;
	qsort_r(rows, t->rows, sizeof *rows, compare, &o);
	return rows;
}

static void put_cache(FILE *out, const struct table *t, uint32_t row)
{
	uint64_t carved = table_number(t, row, "carved"), live = table_number(t, row, "live");
	uint64_t fails = table_number(t, row, "fail_depot_empty") +
			 table_number(t, row, "fail_system") + table_number(t, row, "fail_refill");

	fprintf(out, "%8llu %8llu %3u%% %8llu %6llu %8llu %8s %7llu %6llu %6llu  ",
		(unsigned long long)carved, (unsigned long long)live,
		carved ? (unsigned int)(live * 100 / carved) : 0,
		(unsigned long long)table_number(t, row, "object_size"),
		(unsigned long long)table_number(t, row, "slabs"),
		(unsigned long long)table_number(t, row, "slab_objects"),
		bytes_of(table_number(t, row, "slab_bytes")),
		(unsigned long long)table_number(t, row, "cached"),
		(unsigned long long)table_number(t, row, "limbo"), (unsigned long long)fails);
	put_clean(out, table_text(t, row, "name"), 0);
	fputc('\n', out);
}

void view_caches(FILE *out, const struct page *p, char sort)
{
	struct table t = page_table(p, "caches");
	uint32_t *rows = caches_sorted(&t, sort);

	fprintf(out, "%8s %8s %4s %8s %6s %8s %8s %7s %6s %6s  %s\n", "OBJS", "LIVE", "USE",
		"OBJ SIZE", "SLABS", "OBJ/SLAB", "SIZE", "CACHED", "LIMBO", "FAILS", "NAME");
	for (uint32_t i = 0; i < t.rows; i++)
		put_cache(out, &t, rows[i]);
	if (t.is->more)
		fprintf(out, "and %llu caches more\n", (unsigned long long)t.is->more);
	free(rows);
}
