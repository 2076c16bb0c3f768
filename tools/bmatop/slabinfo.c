/* SPDX-License-Identifier: MIT */
/*
 * --slabinfo: the columns of /proc/slabinfo, for what reads that. Active objects are those with users, all objects those that were carved; limit, batchcount and
 * sharedfactor are what a slot keeps, a magazine, and what the depots are to have; sharedavail is what they have.
 */
#include "format.h"
#include "view.h"

#include <ctype.h>
#include <stdlib.h>

#define PAGE 4096u

/* A name is one word there: anything else is in octal, as in /proc/mounts. */
static void put_word(FILE *out, const char *s, int width)
{
	if (!*s)
		s = " ";
	for (; *s; s++) {
		bool plain = (unsigned char)*s > ' ' && (unsigned char)*s < 0x7f && *s != '\\' &&
			     *s != '#';

		width -= plain ? fprintf(out, "%c", *s) : fprintf(out, "\\%03o", (unsigned char)*s);
	}
	for (; width > 0; width--)
		fputc(' ', out);
}

void format_slabinfo(FILE *out, const struct page *p)
{
	struct table t = page_table(p, "caches");
	uint32_t *rows = caches_sorted(&t, 'n');

	fputs("slabinfo - version: 2.1\n"
	      "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : "
	      "tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> "
	      "<sharedavail>\n",
	      out);
	for (uint32_t i = 0; i < t.rows; i++) {
		uint32_t r = rows[i];
		unsigned long long slabs = table_number(&t, r, "slabs");

		put_word(out, table_text(&t, r, "name"), 17);
		fprintf(out, " %6llu %6llu %6llu %4llu %4llu : tunables %4llu %4llu %4llu",
			(unsigned long long)table_number(&t, r, "live"),
			(unsigned long long)table_number(&t, r, "carved"),
			(unsigned long long)table_number(&t, r, "stride"),
			(unsigned long long)table_number(&t, r, "slab_objects"),
			(unsigned long long)table_number(&t, r, "slab_size") / PAGE,
			(unsigned long long)table_number(&t, r, "slot_high"),
			(unsigned long long)table_number(&t, r, "capacity"),
			(unsigned long long)table_number(&t, r, "depot_target"));
		fprintf(out, " : slabdata %6llu %6llu %6llu\n", slabs, slabs,
			(unsigned long long)table_number(&t, r, "depot"));
	}
	free(rows);
}
